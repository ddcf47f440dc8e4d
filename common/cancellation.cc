#include "common/cancellation.h"

#include <utility>

namespace tarn {

void Cancellation::Cancel() {
  absl::AnyInvocable<void() &&> run;
  {
    MutexLock lock(&mu_);
    if (cancelled_) return;
    cancelled_ = true;
    run = std::exchange(handler_, nullptr);
  }
  if (run) std::move(run)();
}

bool Cancellation::cancelled() const {
  MutexLock lock(&mu_);
  return cancelled_;
}

void Cancellation::OnCancel(absl::AnyInvocable<void() &&> handler) {
  {
    MutexLock lock(&mu_);
    if (!cancelled_) {
      handler_ = std::move(handler);
      return;
    }
  }
  std::move(handler)();
}

void Cancellation::Clear() {
  absl::AnyInvocable<void() &&> dropped;
  MutexLock lock(&mu_);
  dropped = std::exchange(handler_, nullptr);
}

}  // namespace tarn
