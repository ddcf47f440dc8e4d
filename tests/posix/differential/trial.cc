#include "tests/posix/differential/trial.h"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <span>

#include "tests/posix/differential/side.h"

namespace tarn::differential {
namespace {

// Steps of one process that travel together: the sides need not meet after each.
constexpr size_t kBatch = 32;

class Trial {
 public:
  explicit Trial(const TrialSettings& settings)
      : passed_over_(settings.passed_over),
        tested_(settings.tested, settings.injection),
        reference_(settings.reference, "") {}

  std::optional<Failure> Run(const Steps& steps, const Learn& learn, size_t tree_every) {
    if (!tested_.Start()) return Broken("tested", strerror(errno));
    if (!reference_.Start()) return Broken("reference", strerror(errno));
    std::vector<Op> batch;
    for (size_t index = 0;; ++index) {
      std::optional<Op> op = steps(index);
      const bool full =
          batch.size() == kBatch || (op && !batch.empty() && op->process != batch[0].process);
      if (!op || full) {
        if (std::optional<Failure> failure = RunBatch(batch, learn)) return failure;
        batch.clear();
      }
      if (!op || (tree_every != 0 && index != 0 && index % tree_every == 0)) {
        if (std::optional<Failure> failure = RunBatch(batch, learn)) return failure;
        batch.clear();
        if (std::optional<Failure> failure = CompareTrees()) return failure;
      }
      if (!op) return std::nullopt;
      batch.push_back(*std::move(op));
    }
  }

 private:
  std::optional<Failure> RunBatch(std::span<const Op> ops, const Learn& learn) {
    if (ops.empty()) return std::nullopt;
    const int process = ops[0].process;
    // Both sides work at the same time.
    tested_.SendSteps(process, ops);
    reference_.SendSteps(process, ops);
    const auto tested = tested_.ReceiveSteps(process, ops.size());
    if (!tested) return Broken("tested", "a worker died or does not answer");
    const auto reference = reference_.ReceiveSteps(process, ops.size());
    if (!reference) return Broken("reference", "a worker died or does not answer");
    for (size_t i = 0; i < ops.size(); ++i) {
      ++executed_;
      auto mismatch = comparator_.CompareStep(ops[i], (*tested)[i], (*reference)[i]);
      if (mismatch && !IsPassedOver(*mismatch)) {
        return Failure{executed_, false, *std::move(mismatch)};
      }
      if (learn) learn(ops[i], (*reference)[i].answer);
    }
    return std::nullopt;
  }

  std::optional<Failure> CompareTrees() {
    tested_.SendTree();
    reference_.SendTree();
    const std::optional<Reply> tested = tested_.ReceiveTree();
    if (!tested) return Broken("tested", "a worker died or does not answer");
    const std::optional<Reply> reference = reference_.ReceiveTree();
    if (!reference) return Broken("reference", "a worker died or does not answer");
    auto mismatch = comparator_.CompareTree(*tested, *reference);
    if (mismatch && !IsPassedOver(*mismatch)) {
      return Failure{executed_, true, *std::move(mismatch)};
    }
    return std::nullopt;
  }

  bool IsPassedOver(const Mismatch& mismatch) const {
    const auto names = [&](const std::string& part) {
      return mismatch.label.find(part) != std::string::npos ||
             mismatch.message.find(part) != std::string::npos;
    };
    return std::any_of(passed_over_.begin(), passed_over_.end(), names);
  }

  Failure Broken(std::string_view side, std::string_view why) const {
    const std::string label = "no answer from the " + std::string(side) + " side";
    return {executed_, false, {label, label + ": " + std::string(why)}};
  }

  const std::vector<std::string>& passed_over_;
  Side tested_;
  Side reference_;
  Comparator comparator_;
  size_t executed_ = 0;
};

}  // namespace

std::optional<Failure> RunTrial(const TrialSettings& settings, const Steps& steps,
                                const Learn& learn, size_t tree_every) {
  return Trial(settings).Run(steps, learn, tree_every);
}

std::optional<Failure> RunTrial(const TrialSettings& settings, const std::vector<Op>& ops,
                                size_t tree_every) {
  return RunTrial(
      settings,
      [&](size_t index) {
        return index < ops.size() ? std::optional<Op>(ops[index]) : std::nullopt;
      },
      nullptr, tree_every);
}

}  // namespace tarn::differential
