// Is a history linearizable: is there an instant for each operation, between its start and its end,
// so that everybody saw what they would have seen had it all happened at these instants?
//
// Exact, and fast for what tests record: at every time only few operations are under way. The
// history is gone through in the order of time with the set of all states that are possible so far,
// each with the operations under way that have taken effect in it; an operation takes effect at the
// latest when it ends (Lowe's just-in-time linearization).
//
// A Spec says what is checked:
//   using State;                             ordered; its default is the state at the beginning
//   using Op;                                derived from Interval
//   static bool Apply(const Op&, State&);    false: the operation cannot end so in this state
//   static std::string Describe(const Op&);
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tarn::testing {

// One operation of one lane; a lane does one thing at a time. Times of one clock.
struct Interval {
  int lane = 0;  // below kLanesMax
  int64_t start = 0;
  int64_t end = 0;
};

inline constexpr int kLanesMax = 64;

namespace internal {

template <class Spec>
class Linearizer {
 public:
  using Op = typename Spec::Op;
  using State = typename Spec::State;

  explicit Linearizer(const std::vector<Op>& ops) : ops_(ops) {}

  std::string Run() {
    struct Moment {
      int64_t time;
      bool is_end;  // starts come first: what touches is taken as overlapping
      size_t op;
      auto operator<=>(const Moment&) const = default;
    };
    std::vector<Moment> moments;
    for (size_t i = 0; i < ops_.size(); ++i) {
      moments.push_back({ops_[i].start, false, i});
      moments.push_back({ops_[i].end, true, i});
    }
    std::sort(moments.begin(), moments.end());
    for (const Moment& moment : moments) {
      if (!moment.is_end) {
        const int lane = ops_[moment.op].lane;
        if (!under_way_.emplace(lane, moment.op).second) {
          return "lane " + std::to_string(lane) + " does two things at a time: no history";
        }
      } else if (!Finish(moment.op)) {
        return Complaint(moment.op);
      }
    }
    return "";
  }

 private:
  // A state, and the lanes whose operation under way has taken effect in it, as bits.
  using Possibility = std::pair<State, uint64_t>;

  bool Finish(size_t op) {
    const uint64_t done = uint64_t{1} << ops_[op].lane;
    std::set<Possibility> finished, seen = possible_;
    std::vector<Possibility> open(possible_.begin(), possible_.end());
    while (!open.empty()) {
      const Possibility from = std::move(open.back());
      open.pop_back();
      if ((from.second & done) != 0) {
        finished.emplace(from.first, from.second & ~done);
        continue;
      }
      for (const auto& [lane, other] : under_way_) {
        const uint64_t bit = uint64_t{1} << lane;
        if ((from.second & bit) != 0) continue;
        Possibility next(from.first, from.second | bit);
        if (!Spec::Apply(ops_[other], next.first)) continue;
        if (seen.insert(next).second) open.push_back(std::move(next));
      }
    }
    under_way_.erase(ops_[op].lane);
    possible_ = std::move(finished);
    return !possible_.empty();
  }

  // The operation that fits nowhere, and what was going on shortly before and meanwhile.
  std::string Complaint(size_t culprit) const {
    constexpr size_t kShown = 25;
    const Op& bad = ops_[culprit];
    std::vector<size_t> near;
    for (size_t i = 0; i < ops_.size(); ++i) {
      if (ops_[i].start <= bad.end) near.push_back(i);
    }
    std::sort(near.begin(), near.end(),
              [&](size_t a, size_t b) { return ops_[a].end < ops_[b].end; });
    if (near.size() > kShown) near.erase(near.begin(), near.end() - kShown);
    std::string text = "not linearizable: " + Line(bad, bad) + "\nbefore and meanwhile (us):";
    for (const size_t i : near) text += "\n  " + Line(ops_[i], bad);
    return text;
  }

  static std::string Line(const Op& op, const Op& bad) {
    constexpr int64_t kNanosPerMicro = 1000;
    return "[" + std::to_string((op.start - bad.start) / kNanosPerMicro) + ", " +
           std::to_string((op.end - bad.start) / kNanosPerMicro) + "] lane " +
           std::to_string(op.lane) + ": " + Spec::Describe(op);
  }

  const std::vector<Op>& ops_;
  std::set<Possibility> possible_ = {Possibility{}};
  std::map<int, size_t> under_way_;
};

}  // namespace internal

// "" or what is wrong.
template <class Spec>
std::string Linearize(const std::vector<typename Spec::Op>& ops) {
  return internal::Linearizer<Spec>(ops).Run();
}

}  // namespace tarn::testing
