#include "client/cache/workers.h"

#include <algorithm>
#include <utility>

#include "common/timed_wait.h"

namespace tarn::cache {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(10);
constexpr int kQuietLooks = 100;

}  // namespace

Workers::Workers(size_t max_threads)
    : max_threads_(max_threads), watch_([this] { Watch(); }) {}

Workers::~Workers() {
  std::deque<Job> dropped;
  std::vector<std::thread> threads;
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    dropped.swap(jobs_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  watch_.join();
}

void Workers::Post(Task task) { Add({std::move(task), nullptr, absl::InfiniteDuration()}); }

void Workers::PostWatched(Task task, absl::Duration patience, Task stuck) {
  Add({std::move(task), std::move(stuck), patience});
}

void Workers::Add(Job job) {
  MutexLock lock(&mu_);
  if (stopping_) return;
  jobs_.push_back(std::move(job));
  if (jobs_.size() > idle_ && threads_.size() < max_threads_) {
    threads_.emplace_back([this] { Work(); });
  }
}

void Workers::Work() {
  const auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return stopping_ || !jobs_.empty();
  };
  while (true) {
    Job job;
    uint64_t id = 0;
    {
      MutexLock lock(&mu_);
      ++idle_;
      mu_.Await(absl::Condition(&ready));
      --idle_;
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      if (job.stuck) {
        id = ++last_running_;
        watched_[id] = {MonotonicNanos() + absl::ToInt64Nanoseconds(job.patience),
                        std::move(job.stuck)};
      }
    }
    std::move(job.task)();
    if (id == 0) continue;
    MutexLock lock(&mu_);
    watched_.erase(id);
  }
}

// Wakes for the first of a series and then looks now and then, so that a job costs no wake-up.
void Workers::Watch() {
  const auto watched = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return Watched(); };
  const auto stopping = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stopping_; };
  int quiet = 0;
  while (true) {
    std::vector<Task> stuck;
    {
      MutexLock lock(&mu_);
      if (quiet > kQuietLooks) mu_.Await(absl::Condition(&watched));
      AwaitFor(mu_, absl::Condition(&stopping), kLookEvery);
      if (stopping_) return;
      quiet = watched_.empty() ? quiet + 1 : 0;
      const int64_t now = MonotonicNanos();
      absl::erase_if(watched_, [&](auto& entry) {
        if (entry.second.due_nanos > now) return false;
        stuck.push_back(std::move(entry.second.stuck));
        return true;
      });
    }
    for (Task& task : stuck) Post(std::move(task));
  }
}

}  // namespace tarn::cache
