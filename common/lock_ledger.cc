#include "common/lock_ledger.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tarn {
namespace {

// The lock, grown by those of the same type and open that it overlaps or touches: F_GETLK shows it
// as one.
SetLockArgs Merged(const std::vector<SetLockArgs>& ranges, SetLockArgs args) {
  for (const SetLockArgs& range : ranges) {
    if (range.lock.type != args.lock.type || range.open != args.open) continue;
    const bool apart = (range.lock.end < args.lock.start && range.lock.end + 1 < args.lock.start) ||
                       (args.lock.end < range.lock.start && args.lock.end + 1 < range.lock.start);
    if (apart) continue;
    args.lock.start = std::min(args.lock.start, range.lock.start);
    args.lock.end = std::max(args.lock.end, range.lock.end);
  }
  return args;
}

// Cuts [start, end] out of the ranges of one owner.
void CutOut(std::vector<SetLockArgs>& ranges, uint64_t start, uint64_t end) {
  std::vector<SetLockArgs> kept;
  for (const SetLockArgs& range : ranges) {
    if (range.lock.end < start || range.lock.start > end) {
      kept.push_back(range);
      continue;
    }
    if (range.lock.start < start) {
      kept.push_back(range);
      kept.back().lock.end = start - 1;
    }
    if (range.lock.end > end) {
      kept.push_back(range);
      kept.back().lock.start = end + 1;
    }
  }
  ranges = std::move(kept);
}

// Two locks of one kind have to do with each other: of ranges, those that overlap.
bool Meet(LockKind kind, const FileLock& a, const FileLock& b) {
  return kind == LockKind::kFlock || (a.start <= b.end && a.end >= b.start);
}

}  // namespace

void LockLedger::Note(const SetLockArgs& granted) {
  const OwnerKey key{granted.inode.ino, granted.kind, granted.owner};
  std::vector<SetLockArgs>& ranges = locks_[key];
  const SetLockArgs args =
      granted.lock.type == LockType::kUnlock ? granted : Merged(ranges, granted);
  if (args.kind == LockKind::kFlock) {
    ranges.clear();
  } else {
    CutOut(ranges, args.lock.start, args.lock.end);
  }
  if (args.lock.type != LockType::kUnlock) ranges.push_back(args);
  if (ranges.empty()) locks_.erase(key);
}

void LockLedger::Weaken(const SetLockArgs& asked) {
  if (asked.lock.type == LockType::kUnlock) return Note(asked);
  const auto own = locks_.find({asked.inode.ino, asked.kind, asked.owner});
  if (own == locks_.end() || asked.lock.type != LockType::kRead) return;
  for (SetLockArgs weaker : std::vector<SetLockArgs>(own->second)) {
    if (weaker.lock.type != LockType::kWrite) continue;
    if (!Meet(asked.kind, weaker.lock, asked.lock)) continue;
    weaker.lock.type = LockType::kRead;
    if (asked.kind == LockKind::kRange) {
      weaker.lock.start = std::max(weaker.lock.start, asked.lock.start);
      weaker.lock.end = std::min(weaker.lock.end, asked.lock.end);
    }
    Note(weaker);
  }
}

void LockLedger::DropOwner(Ino ino, LockOwner owner) {
  locks_.erase({ino, LockKind::kRange, owner});
}

void LockLedger::DropOpen(Ino ino, OpenId open) {
  for (auto it = locks_.lower_bound({ino, LockKind::kRange, LockOwner{}});
       it != locks_.end() && std::get<Ino>(it->first) == ino;) {
    std::erase_if(it->second, [&](const SetLockArgs& held) { return held.open == open; });
    it = it->second.empty() ? locks_.erase(it) : std::next(it);
  }
}

std::vector<SetLockArgs> LockLedger::Take(Ino ino) {
  std::vector<SetLockArgs> taken;
  auto it = locks_.lower_bound({ino, LockKind::kRange, LockOwner{}});
  while (it != locks_.end() && std::get<Ino>(it->first) == ino) {
    taken.insert(taken.end(), it->second.begin(), it->second.end());
    it = locks_.erase(it);
  }
  return taken;
}

bool LockLedger::Holds(Ino ino) const {
  const auto it = Begin(ino);
  return it != locks_.end() && std::get<Ino>(it->first) == ino;
}

std::vector<SetLockArgs> LockLedger::All() const {
  std::vector<SetLockArgs> all;
  for (const auto& [key, ranges] : locks_) all.insert(all.end(), ranges.begin(), ranges.end());
  return all;
}

std::optional<FileLock> LockLedger::Blocker(Ino ino, LockKind kind, LockOwner owner,
                                            const FileLock& lock) const {
  if (lock.type == LockType::kUnlock) return std::nullopt;
  std::optional<FileLock> blocker;
  for (auto it = Begin(ino); it != locks_.end() && std::get<Ino>(it->first) == ino; ++it) {
    if (std::get<LockKind>(it->first) != kind || std::get<LockOwner>(it->first) == owner) continue;
    for (const SetLockArgs& held : it->second) {
      const bool clashes = held.lock.type == LockType::kWrite || lock.type == LockType::kWrite;
      if (!clashes || !Meet(kind, held.lock, lock)) continue;
      if (!blocker.has_value() || held.lock.start < blocker->start) blocker = held.lock;
    }
  }
  return blocker;
}

FileLock LockLedger::Test(Ino ino, LockOwner owner, const FileLock& lock) const {
  if (lock.type != LockType::kUnlock) {
    return Blocker(ino, LockKind::kRange, owner, lock).value_or(FileLock{});
  }
  FileLock first;
  const auto own = locks_.find({ino, LockKind::kRange, owner});
  if (own == locks_.end()) return first;
  for (const SetLockArgs& held : own->second) {
    if (!Meet(LockKind::kRange, held.lock, lock)) continue;
    if (first.type == LockType::kUnlock || held.lock.start < first.start) first = held.lock;
  }
  return first;
}

}  // namespace tarn
