// File locks that were granted, as the requests that would set them again.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "common/filesystem.h"

namespace tarn {

// Who was granted what, by inode, kind and owner. Grants are taken as they come: whether one may be
// given is for its owner to ask (Blocker).
// Thread safety: none; its owner's lock guards it.
// Invariants: the ranges of one owner on one inode do not overlap; no empty entries.
class LockLedger {
 public:
  // A lock was granted, converted or, with kUnlock, given up.
  void Note(const SetLockArgs& granted);
  // What is held is given up, or converted to kRead, as far as `asked` would do that.
  void Weaken(const SetLockArgs& asked);
  void DropOwner(Ino ino, LockOwner owner);  // its ranges
  void DropOpen(Ino ino, OpenId open);       // what was set through it
  std::vector<SetLockArgs> Take(Ino ino);
  void Clear() { locks_.clear(); }

  bool empty() const { return locks_.empty(); }
  bool Holds(Ino ino) const;
  std::vector<SetLockArgs> All() const;
  // Another owner's lock that stands in the way, the first by its start; nullopt: none.
  std::optional<FileLock> Blocker(Ino ino, LockKind kind, LockOwner owner,
                                  const FileLock& lock) const;
  // F_GETLK: the range lock that stands in the way or, with kUnlock, the owner's own in the range;
  // the first by its start. Type kUnlock: none.
  FileLock Test(Ino ino, LockOwner owner, const FileLock& lock) const;

 private:
  using OwnerKey = std::tuple<Ino, LockKind, LockOwner>;
  using Locks = std::map<OwnerKey, std::vector<SetLockArgs>>;
  Locks::const_iterator Begin(Ino ino) const {
    return locks_.lower_bound({ino, LockKind::kRange, LockOwner{}});
  }

  Locks locks_;
};

}  // namespace tarn
