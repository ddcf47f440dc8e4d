#include "server/state/lock_ranges.h"

#include <algorithm>
#include <iterator>

namespace tarn::state {

LockRanges::Change LockRanges::Plan(const FileLock& lock, OpenId open) const {
  HeldRange whole{.start = lock.start, .end = lock.end, .type = lock.type, .open = open,
                  .pid = lock.pid};
  const auto mergeable = [&](const HeldRange& r) {
    return lock.type != LockType::kUnlock && r.type == lock.type && r.open == open;
  };
  auto it = by_start_.lower_bound(lock.start);
  if (it != by_start_.begin()) {
    const HeldRange& before = std::prev(it)->second;
    const bool touches = before.end == lock.start - 1;  // before.start < lock.start: no underflow
    if (before.end >= lock.start || (touches && mergeable(before))) --it;
  }
  Change change;
  for (; it != by_start_.end(); ++it) {
    const HeldRange& r = it->second;
    const bool overlaps = r.start <= lock.end;
    const bool touches = lock.end != kLockToEnd && r.start == lock.end + 1 && mergeable(r);
    if (!overlaps && !touches) break;
    change.removed.push_back(r);
    if (mergeable(r)) {
      whole.start = std::min(whole.start, r.start);
      whole.end = std::max(whole.end, r.end);
      continue;
    }
    if (r.start < lock.start) {
      change.added.push_back(r);
      change.added.back().end = lock.start - 1;
    }
    if (r.end > lock.end) {
      change.added.push_back(r);
      change.added.back().start = lock.end + 1;
    }
  }
  if (lock.type != LockType::kUnlock) change.added.push_back(whole);
  return change;
}

void LockRanges::Apply(const Change& change) {
  for (const HeldRange& r : change.removed) by_start_.erase(r.start);
  for (const HeldRange& r : change.added) by_start_.emplace(r.start, r);
}

std::optional<HeldRange> LockRanges::FirstConflict(const FileLock& lock) const {
  return First(lock, [&](const HeldRange& r) { return LocksConflict(r.type, lock.type); });
}

std::optional<HeldRange> LockRanges::FirstIn(const FileLock& lock) const {
  return First(lock, [](const HeldRange&) { return true; });
}

std::optional<HeldRange> LockRanges::First(
    const FileLock& lock, absl::FunctionRef<bool(const HeldRange&)> is_one) const {
  auto it = by_start_.upper_bound(lock.start);
  if (it != by_start_.begin() && std::prev(it)->second.end >= lock.start) --it;
  for (; it != by_start_.end() && it->first <= lock.end; ++it) {
    if (is_one(it->second)) return it->second;
  }
  return std::nullopt;
}

void LockRanges::EraseIf(absl::FunctionRef<bool(const HeldRange&)> drop) {
  std::erase_if(by_start_, [&](const auto& entry) { return drop(entry.second); });
}

}  // namespace tarn::state
