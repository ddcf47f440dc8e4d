// AwaitFor, and what makes Abseil's timed waits go by the monotonic clock.
//
// Abseil up to 20230125 (Debian 12 has 20220623) turns every time limit into a point of the time of
// day and calls futex(2), by way of libc's syscall(), to wait until then: FUTEX_WAIT_BITSET with
// FUTEX_CLOCK_REALTIME. Should the clock be set back by an hour meanwhile, the wait is an hour
// longer; gRPC 1.51 waits for its timers in this way, so no deadline and no keepalive would come.
// So syscall() is taken over here, which the dynamic linker lets a program do: such a wait becomes
// one until the same distance on CLOCK_MONOTONIC. Everything else is passed on. Later Abseils wait
// by the monotonic clock themselves and are not affected.
#include "common/timed_wait.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <ctime>

namespace tarn {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

#ifndef TARN_TSAN
using SystemCall = long (*)(long, ...);

// Looked up by whoever comes first, perhaps by several at once. Not a static of a function: whoever
// waits for one of those to be initialized does so by syscall(), and would come here again, deeper
// and deeper.
constinit std::atomic<SystemCall> libc_system_call = nullptr;

SystemCall LibcSystemCall() {
  SystemCall call = libc_system_call.load(std::memory_order_relaxed);
  if (call == nullptr) {
    call = reinterpret_cast<SystemCall>(dlsym(RTLD_NEXT, "syscall"));
    libc_system_call.store(call, std::memory_order_relaxed);
  }
  return call;
}

// The point of CLOCK_MONOTONIC that is as far away as `when` is on the wall clock, which has just
// been read to compute it: a limit given as a duration is added to gettimeofday.
timespec ToMonotonic(const timespec& when) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t distance = (when.tv_sec - now.tv_sec) * kSecond + when.tv_nsec - now.tv_nsec;
  const int64_t at = MonotonicNanos() + (distance > 0 ? distance : 0);
  return {.tv_sec = at / kSecond, .tv_nsec = at % kSecond};
}
#endif

}  // namespace

int64_t MonotonicNanos() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

bool AwaitFor(Mutex& mu, const absl::Condition& condition, absl::Duration limit) {
  return mu.AwaitWithTimeout(condition, limit);
}

}  // namespace tarn

#ifndef TARN_TSAN
// How many arguments there are, only the call's number says; the sixth is read from the caller's
// stack whether it was passed or not, as libc's own does.
extern "C" __attribute__((visibility("default"), no_sanitize("address"))) long syscall(
    long number, ...) noexcept {
  long a[6];
  va_list args;
  va_start(args, number);
  for (long& value : a) value = va_arg(args, long);
  va_end(args);
  constexpr long kByWallClock = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME;
  timespec until{};
  if (number == SYS_futex && (a[1] & ~FUTEX_PRIVATE_FLAG) == kByWallClock && a[3] != 0) {
    until = tarn::ToMonotonic(*reinterpret_cast<const timespec*>(a[3]));
    a[1] &= ~FUTEX_CLOCK_REALTIME;
    a[3] = reinterpret_cast<long>(&until);
  }
  return tarn::LibcSystemCall()(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
#endif
