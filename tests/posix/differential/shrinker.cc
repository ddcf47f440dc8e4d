#include "tests/posix/differential/shrinker.h"

#include <stdio.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>

namespace tarn::differential {
namespace {

using std::chrono::steady_clock;

class Shrinker {
 public:
  Shrinker(const TrialSettings& settings, const Failure& failure, double max_seconds)
      : settings_(settings),
        failure_(failure),
        deadline_(steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                            std::chrono::duration<double>(max_seconds))) {}

  std::vector<Op> Run(std::vector<Op> ops) {
    // Most failures need only steps that changed something, and only late or related ones of these.
    std::vector<Op> effective;
    const auto keep_effective = [&](const Op& op, const Answer& answer) {
      if (answer.error == 0 && ChangesSomething(op.verb)) effective.push_back(op);
    };
    if (!Fails(&ops, keep_effective)) return ops;
    effective.push_back(ops.back());
    if (Fails(&effective)) ops = std::move(effective);
    for (size_t tail = 64; tail < ops.size(); tail *= 4) {
      std::vector<Op> related = Related(ops, ops.size() - tail);
      if (Fails(&related)) {
        ops = std::move(related);
        break;
      }
    }
    RemoveChunks(&ops);
    Simplify(&ops);
    RemoveChunks(&ops);
    return ops;
  }

 private:
  bool OutOfTime() const { return steady_clock::now() >= deadline_; }

  static bool ChangesSomething(Verb verb) {
    switch (verb) {
      case Verb::kReadDir:
      case Verb::kReadLink:
      case Verb::kAccess:
      case Verb::kStat:
      case Verb::kStatLink:
      case Verb::kStatDescriptor:
      case Verb::kGetXattr:
      case Verb::kListXattr:
      case Verb::kGetLock:
      case Verb::kGetOfdLock:
      case Verb::kPositionalRead:
        return false;
      default:
        return true;
    }
  }

  // True if the same failure comes; `ops` then ends with its step.
  bool Fails(std::vector<Op>* ops, const Learn& learn = nullptr) {
    if (ops->empty() || OutOfTime()) return false;
    const auto steps = [ops](size_t index) {
      return index < ops->size() ? std::optional<Op>((*ops)[index]) : std::nullopt;
    };
    const std::optional<Failure> failure = RunTrial(settings_, steps, learn, 0);
    if (!failure || failure->mismatch.label != failure_.mismatch.label) return false;
    if (!failure->in_tree) ops->resize(std::min(ops->size(), std::max<size_t>(failure->steps, 1)));
    return true;
  }

  // The steps from `start` on, and those before that share a name with the last step.
  static std::vector<Op> Related(const std::vector<Op>& ops, size_t start) {
    std::set<std::string> names;
    for (const std::string& path : ops.back().Paths()) names.insert(path);
    std::vector<Op> out;
    for (size_t i = 0; i < ops.size(); ++i) {
      const std::vector<std::string> paths = ops[i].Paths();
      const bool related = std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
        return names.count(path) > 0;
      });
      // The first steps make the directories.
      if (i >= start || related || i < 16) out.push_back(ops[i]);
    }
    return out;
  }

  // Delta debugging: leaves out ever smaller chunks as long as the failure stays.
  void RemoveChunks(std::vector<Op>* ops) {
    for (size_t chunk = ops->size() / 2; chunk > 0; chunk /= 2) {
      bool removed = true;
      while (removed && !OutOfTime()) {
        removed = false;
        for (size_t at = 0; at < ops->size();) {
          std::vector<Op> without(ops->begin(), ops->begin() + static_cast<long>(at));
          without.insert(without.end(),
                         ops->begin() + static_cast<long>(std::min(ops->size(), at + chunk)),
                         ops->end());
          if (Fails(&without)) {
            *ops = std::move(without);
            removed = true;
          } else {
            at += chunk;
          }
        }
        if (chunk > 1) break;
      }
    }
  }

  // One process and root, where they do.
  void Simplify(std::vector<Op>* ops) {
    for (size_t i = 0; i < ops->size(); ++i) {
      std::vector<Op> simpler = *ops;
      simpler[i].process = 0;
      if (ops->at(i).process != 0 && Fails(&simpler)) *ops = simpler;
      if (i >= ops->size() || ops->at(i).user == 0) continue;
      simpler = *ops;
      simpler[i].user = 0;
      if (Fails(&simpler)) *ops = simpler;
    }
  }

  const TrialSettings& settings_;
  const Failure& failure_;
  const steady_clock::time_point deadline_;
};

}  // namespace

std::vector<Op> Shrink(const TrialSettings& settings, std::vector<Op> ops, const Failure& failure,
                       double max_seconds) {
  return Shrinker(settings, failure, max_seconds).Run(std::move(ops));
}

}  // namespace tarn::differential
