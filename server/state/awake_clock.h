// A clock that stands still while nobody reads it.
//
// A server that was stopped, or paused with its machine, has not heard its clients meanwhile, and
// they are not to blame. By this clock they were silent for no longer than kGapNanos. They go on
// counting: what they cache under leases ends on their side first, as it must.
#pragma once

#include <atomic>

#include "common/clock.h"
#include "common/limits.h"
#include "common/sync.h"

namespace tarn::state {

// Thread safety: safe. Lifetime: below the clock that it was given.
class AwakeClock final : public Clock {
 public:
  // The session table's tick reads it each second.
  static constexpr int64_t kGapNanos = 2 * kSecondNanos;

  explicit AwakeClock(Clock& clock) : clock_(clock), last_nanos_(clock.BootNanos()) {}

  Timestamp Now() override { return clock_.Now(); }
  // That of the clock below, less all that was more than kGapNanos between two calls. A pause that
  // falls into a call may be in its value or not.
  int64_t BootNanos() override;

 private:
  // Read so seldom is often enough, and spares the others the cache line.
  static constexpr int64_t kNoteNanos = kGapNanos / 20;

  Clock& clock_;
  std::atomic<int64_t> last_nanos_;        // of the clock below, when this was read
  std::atomic<int64_t> missed_nanos_ = 0;  // grows before last_nanos_ does
  Mutex mu_;                               // one at a time finds a gap
};

}  // namespace tarn::state
