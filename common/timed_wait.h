// Waiting for a condition, but not for ever: the only place where a wait has a time limit.
//
// Time here is CLOCK_MONOTONIC: a step of the wall clock makes no wait longer or shorter. Packaged
// Abseils wait by the time of day; linking this makes them wait by the monotonic clock, all of them
// in the process, those of gRPC's timers too (timed_wait.cc says how).
#pragma once

#include "absl/time/time.h"
#include "common/sync.h"

namespace tarn {

// Waits until `condition` holds, for at most `limit` (which may be infinite). Returns whether it
// does. REQUIRES: `mu` is held, as by the condition.
bool AwaitFor(Mutex& mu, const absl::Condition& condition, absl::Duration limit)
    ABSL_SHARED_LOCKS_REQUIRED(mu);

// A point in time to be waited for. Nanoseconds of CLOCK_MONOTONIC.
int64_t MonotonicNanos();

}  // namespace tarn
