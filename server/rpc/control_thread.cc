#include "server/rpc/control_thread.h"

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

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

void ControlThread::Post(Task task) {
  MutexLock lock(&mu_);
  tasks_.push_back(std::move(task));
}

void ControlThread::Run() {
  const auto has_work = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return stopping_ || !tasks_.empty();
  };
  absl::Time next_tick = absl::Now() + absl::Seconds(1);
  while (true) {
    Task task;
    {
      MutexLock lock(&mu_);
      mu_.AwaitWithDeadline(absl::Condition(&has_work), next_tick);
      if (!tasks_.empty()) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
      } else if (stopping_) {
        return;
      }
    }
    if (task) std::move(task)();
    if (absl::Now() >= next_tick) {
      tick_();
      next_tick = absl::Now() + absl::Seconds(1);
    }
  }
}

}  // namespace tarn::rpc
