// The byte ranges that one owner has locked in one inode: splitting, merging, converting.
//
// Thread safety: none; a value type of LockTable.
// Invariants: ranges are disjoint; neighbours of one type, set through one open, are one range.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/filesystem.h"

namespace tarn::state {

struct HeldRange {
  uint64_t start = 0;
  uint64_t end = 0;  // inclusive
  LockType type = LockType::kRead;
  OpenId open{};     // it was set through: its release drops it
  uint32_t pid = 0;  // who set it last
};

constexpr bool LocksConflict(LockType a, LockType b) {
  return (a == LockType::kWrite && b != LockType::kUnlock) ||
         (b == LockType::kWrite && a != LockType::kUnlock);
}
constexpr bool LocksConflict(const FileLock& a, const FileLock& b) {
  return LocksConflict(a.type, b.type) && a.start <= b.end && b.start <= a.end;
}

class LockRanges {
 public:
  // What a lock or unlock replaces by what. `removed` are neighbours in order.
  struct Change {
    std::vector<HeldRange> removed;
    std::vector<HeldRange> added;
  };

  // The change that `lock`, set through `open`, makes. Does not apply it.
  Change Plan(const FileLock& lock, OpenId open) const;
  // Applies what Plan returned for the ranges as they are.
  void Apply(const Change& change);
  // The first range that `lock` of another owner may not overlap.
  std::optional<HeldRange> FirstConflict(const FileLock& lock) const;
  // The first range that `lock` overlaps, whatever their types.
  std::optional<HeldRange> FirstIn(const FileLock& lock) const;
  // Drops the ranges that `drop` says yes to.
  void EraseIf(absl::FunctionRef<bool(const HeldRange&)> drop);

  bool empty() const { return by_start_.empty(); }
  const std::map<uint64_t, HeldRange>& by_start() const { return by_start_; }

 private:
  std::optional<HeldRange> First(const FileLock& lock,
                                 absl::FunctionRef<bool(const HeldRange&)> is_one) const;

  std::map<uint64_t, HeldRange> by_start_;
};

}  // namespace tarn::state
