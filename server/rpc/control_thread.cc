#include "server/rpc/control_thread.h"

#include <utility>

#include "absl/time/time.h"
#include "common/limits.h"
#include "common/timed_wait.h"

namespace tarn::rpc {

ControlThread::ControlThread(absl::AnyInvocable<void()> tick)
    : tick_(std::move(tick)), thread_([this] { Run(); }) {}

ControlThread::~ControlThread() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

bool ControlThread::Post(const std::string& from, Task task) {
  MutexLock lock(&mu_);
  uint32_t& queued = queued_[from];
  if (queued >= kControlTasksPerPeer) return false;
  ++queued;
  tasks_.emplace_back(from, std::move(task));
  return true;
}

void ControlThread::Run() {
  const auto has_work = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return stopping_ || !tasks_.empty();
  };
  int64_t next_tick = MonotonicNanos() + kSecondNanos;
  while (true) {
    Task task;
    {
      MutexLock lock(&mu_);
      AwaitFor(mu_, absl::Condition(&has_work), absl::Nanoseconds(next_tick - MonotonicNanos()));
      if (!tasks_.empty()) {
        auto& [from, first] = tasks_.front();
        task = std::move(first);
        if (const auto queued = queued_.find(from); --queued->second == 0) queued_.erase(queued);
        tasks_.pop_front();
      } else if (stopping_) {
        return;
      }
    }
    if (task) std::move(task)();
    if (MonotonicNanos() >= next_tick) {
      tick_();
      next_tick = MonotonicNanos() + kSecondNanos;
    }
  }
}

}  // namespace tarn::rpc
