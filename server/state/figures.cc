#include "server/state/figures.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "common/limits.h"

namespace tarn::state {
namespace {

// The holder counts from when it asked, by a clock that may run a little slower than ours.
constexpr int64_t kEndNanos = kFiguresLeaseNanos + kSecondNanos;

void Append(LeaseTable::Outcome from, LeaseTable::Outcome& to) {
  std::move(from.ready.begin(), from.ready.end(), std::back_inserter(to.ready));
  std::move(from.free.begin(), from.free.end(), std::back_inserter(to.free));
}

}  // namespace

// What was held before stays in the table, whatever is found under way: its holder may use it, and
// the change has seen it there.
bool Figures::Grant(SessionId to, int64_t now_nanos, std::vector<tarn::Grant>& out) {
  MutexLock lock(&mu_);
  const bool held = ends_nanos_.contains(to);
  std::vector<tarn::Grant> granted;
  table_.Grant(to, {kFigures}, LeaseTable::Want::kCache, now_nanos, granted);
  if (granted.empty()) return false;
  if (under_way_.load() != 0) {
    if (!held) table_.Return(to, {{kFigures, granted.front().sequence}});
    return false;
  }
  ends_nanos_[to] = now_nanos + kEndNanos;
  out.push_back(granted.front());
  return true;
}

std::optional<int64_t> Figures::Expire(int64_t now_nanos, LeaseTable::Outcome& outcome) {
  constexpr uint64_t kAny = std::numeric_limits<uint64_t>::max();
  std::optional<int64_t> next;
  MutexLock lock(&mu_);
  for (auto it = ends_nanos_.begin(); it != ends_nanos_.end();) {
    const auto [session, end] = *it;
    if (end > now_nanos) {
      next = std::min(next.value_or(end), end);
      ++it;
      continue;
    }
    ends_nanos_.erase(it++);
    std::vector<uint64_t> open;
    for (const OpenRecall& one : table_.RecallsOf(session, 0, kAny)) {
      if (one.recall.ino == kFigures) open.push_back(one.number);
    }
    if (!open.empty()) Append(table_.Answer(session, open), outcome);
    Append(table_.Return(session, {{kFigures, kAny}}), outcome);
  }
  return next;
}

}  // namespace tarn::state
