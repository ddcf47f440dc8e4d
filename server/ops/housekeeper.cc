#include "server/ops/housekeeper.h"

#include "common/timed_wait.h"

namespace tarn::ops {

void Housekeeper::Wake() {
  MutexLock lock(&mu_);
  woken_ = true;
}

void Housekeeper::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    woken_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Housekeeper::Work() {
  absl::Duration pause = absl::InfiniteDuration();
  while (true) {
    {
      MutexLock lock(&mu_);
      AwaitFor(mu_, absl::Condition(&woken_), pause);
      if (stopping_) return;
      woken_ = false;
    }
    pause = round_();
  }
}

}  // namespace tarn::ops
