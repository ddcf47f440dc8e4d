// Makes a failing sequence of steps short, by trying what it can do without.
#pragma once

#include <vector>

#include "tests/posix/differential/trial.h"

namespace tarn::differential {

// REQUIRES: `ops` ends with the step after which `failure` showed. The result fails with the same
// label in fresh directories, or is `ops` itself if that failure does not come back. Takes
// `max_seconds` at most, but for the trial then under way.
std::vector<Op> Shrink(const TrialSettings& settings, std::vector<Op> ops, const Failure& failure,
                       double max_seconds);

}  // namespace tarn::differential
