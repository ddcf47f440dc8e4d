// A cache's link to the kernel's end of its mount, which may come and go.
#pragma once

#include "absl/functional/function_ref.h"
#include "client/cache/kernel.h"
#include "common/sync.h"

namespace tarn::cache {

// Thread safety: safe. Its lock comes before the cache's own, and is held shared while the kernel's
// end is called.
class KernelLink {
 public:
  // Null: nobody is there. Returns when nobody uses the one before.
  void Set(KernelCache* kernel) {
    WriterMutexLock lock(&mu_);
    kernel_ = kernel;
  }
  // Calls `use` if somebody is there, who stays meanwhile.
  void Use(absl::FunctionRef<void(KernelCache&)> use) {
    ReaderMutexLock lock(&mu_);
    if (kernel_ != nullptr) use(*kernel_);
  }
  // Replies to the kernel that were built from what the table knew before have been handed over.
  void Settle() {
    Use([](KernelCache& kernel) { kernel.Settle(); });
  }
  // Runs it so that Settle waits for it.
  void HandOver(absl::FunctionRef<void()> hand_over) {
    ReaderMutexLock lock(&mu_);
    if (kernel_ == nullptr) return hand_over();
    kernel_->RunGated(hand_over);
  }

 private:
  Mutex mu_;
  KernelCache* kernel_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace tarn::cache
