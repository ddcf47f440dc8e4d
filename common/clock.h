// Time as a dependency, so that tests own it.
#pragma once

#include <cstdint>

#include "common/types.h"

namespace tarn {

// Thread safety: safe. Lifetime: outlives everything that was given it.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock, for inode times. May step.
  virtual Timestamp Now() = 0;
  // CLOCK_BOOTTIME in nanoseconds, for leases, sessions and deadlines. Never steps back; counts
  // while the machine sleeps.
  virtual int64_t BootNanos() = 0;
};

// The system's clocks. Lives for ever.
Clock& SystemClock();

}  // namespace tarn
