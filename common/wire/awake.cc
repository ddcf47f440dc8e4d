#include "common/wire/awake.h"

#include <dlfcn.h>
#include <grpc/support/time.h>
#include <pthread.h>

#include <atomic>
#include <cstring>

namespace tarn::wire {
namespace {

constexpr size_t kThreadNameMaxBytes = 16;

std::atomic<bool> keep_awake = false;

bool IsCallbackThread() {
  char name[kThreadNameMaxBytes] = "";
  return pthread_getname_np(pthread_self(), name, sizeof name) == 0 &&
         std::strcmp(name, "nexting_thread") == 0;
}

}  // namespace

void KeepCallbackThreadsAwake() { keep_awake.store(true, std::memory_order_relaxed); }

}  // namespace tarn::wire

// Comes before the library's own, which nothing but the sleep is asked of.
extern "C" __attribute__((visibility("default"))) void gpr_sleep_until(gpr_timespec until) {
  using tarn::wire::IsCallbackThread, tarn::wire::keep_awake;
  if (keep_awake.load(std::memory_order_relaxed) && IsCallbackThread()) return;
  static const auto librarys_own =
      reinterpret_cast<void (*)(gpr_timespec)>(dlsym(RTLD_NEXT, "gpr_sleep_until"));
  if (librarys_own != nullptr) librarys_own(until);
}
