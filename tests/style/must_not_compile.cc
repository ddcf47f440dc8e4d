// Must not compile with clang's -Wthread-safety -Werror: proof that the analysis is on and that
// our mutex type carries its annotations. With TARN_WITH_LOCK it must compile.
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace tarn {

class Counter {
 public:
  void Increment() {
#ifdef TARN_WITH_LOCK
    absl::MutexLock lock(&mu_);
#endif
    ++count_;
  }

 private:
  absl::Mutex mu_;
  int count_ ABSL_GUARDED_BY(mu_) = 0;
};

void Use() {
  Counter().Increment();
}

}  // namespace tarn
