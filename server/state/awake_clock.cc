#include "server/state/awake_clock.h"

namespace tarn::state {

int64_t AwakeClock::BootNanos() {
  const int64_t now = clock_.BootNanos();
  const int64_t passed = now - last_nanos_.load(std::memory_order_acquire);
  if (passed > kGapNanos) {
    MutexLock lock(&mu_);
    const int64_t gap = now - last_nanos_.load(std::memory_order_relaxed);
    if (gap > kGapNanos) missed_nanos_.fetch_add(gap - kGapNanos, std::memory_order_relaxed);
    if (gap > 0) last_nanos_.store(now, std::memory_order_release);
  } else if (passed > kNoteNanos) {
    // Two may note times in either order; that costs nothing but a little of the gap.
    last_nanos_.store(now, std::memory_order_release);
  }
  return now - missed_nanos_.load(std::memory_order_relaxed);
}

}  // namespace tarn::state
