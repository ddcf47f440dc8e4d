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
  const auto known = sessions_.find(to);
  const bool held = known != sessions_.end();
  if (held && known->second.refused) return false;
  std::vector<tarn::Grant> granted;
  table_.Grant(to, {kFigures}, LeaseTable::Want::kCache, now_nanos, granted);
  if (granted.empty()) return false;
  if (under_way_.load() != 0) {
    if (!held) table_.Return(to, {{kFigures, granted.front().sequence}});
    return false;
  }
  sessions_[to] = {.until_nanos = now_nanos + kEndNanos};
  out.push_back(granted.front());
  return true;
}

std::optional<int64_t> Figures::Expire(int64_t now_nanos, LeaseTable::Outcome& outcome) {
  std::optional<int64_t> next;
  MutexLock lock(&mu_);
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    auto& [id, session] = *it;
    if (session.until_nanos <= now_nanos && !session.refused && TakeBack(id, outcome)) {
      session = {.until_nanos = now_nanos + kRefusedNanos, .refused = true};
    }
    if (session.until_nanos <= now_nanos) {
      sessions_.erase(it++);
      continue;
    }
    next = std::min(next.value_or(session.until_nanos), session.until_nanos);
    ++it;
  }
  return next;
}

bool Figures::TakeBack(SessionId from, LeaseTable::Outcome& outcome) {
  constexpr uint64_t kAny = std::numeric_limits<uint64_t>::max();
  std::vector<uint64_t> open;
  for (const OpenRecall& one : table_.RecallsOf(from, 0, kAny)) {
    if (one.recall.ino == kFigures) open.push_back(one.number);
  }
  if (!open.empty()) Append(table_.Answer(from, open), outcome);
  Append(table_.Return(from, {{kFigures, kAny}}), outcome);
  return !open.empty();
}

}  // namespace tarn::state
