// A wish that a call should end, shared between its maker and whoever makes it wait.
#pragma once

#include "common/sync.h"
#include "absl/functional/any_invocable.h"

namespace tarn {

// Thread safety: safe.
// Lifetime: shared by pointer between the two sides of one call.
class Cancellation {
 public:
  // Runs the handler, if one is set, once, on this thread; later calls do nothing.
  void Cancel();
  bool cancelled() const;
  // Sets what Cancel runs; runs it at once if Cancel came first. The handler must not block, and
  // may run while the caller of OnCancel is still inside it: register only when it is safe to run.
  void OnCancel(absl::AnyInvocable<void() &&> handler);
  // Drops the handler. After it returns the handler will not start; it may still be running.
  void Clear();

 private:
  mutable Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  absl::AnyInvocable<void() &&> handler_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn
