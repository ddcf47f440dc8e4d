// Runs a sequence of steps on both sides, in fresh directories, in lock-step.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/posix/differential/comparator.h"
#include "tests/posix/differential/op.h"

namespace tarn::differential {

struct TrialSettings {
  std::string tested;  // directories in which the trial makes its own
  std::string reference;
  std::string_view injection;            // see inject.h; empty: none
  std::vector<std::string> passed_over;  // parts of labels or messages that end nothing
};

struct Failure {
  size_t steps = 0;  // that were executed, the last one failing
  bool in_tree = false;
  Mismatch mismatch;
};

// Step `index`, or nullopt at the end. Called once for each index, ascending.
using Steps = std::function<std::optional<Op>(size_t index)>;
// Hears how each step went on the reference side, some steps after it was asked for.
using Learn = std::function<void(const Op&, const Answer&)>;

// The first difference, if any. Trees are compared every `tree_every` steps (0: never) and at the
// end. Workers that cannot be started, die or hang are failures too.
std::optional<Failure> RunTrial(const TrialSettings& settings, const Steps& steps,
                                const Learn& learn, size_t tree_every);
std::optional<Failure> RunTrial(const TrialSettings& settings, const std::vector<Op>& ops,
                                size_t tree_every);

}  // namespace tarn::differential
