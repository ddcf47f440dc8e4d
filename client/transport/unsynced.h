// What the server has acknowledged and may still lose with its power.
//
// A server that has lost power says so by another incarnation. From then on an fsync of an inode
// that was changed before, and not synced since, must not succeed, whatever the server says of what
// is left of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "common/sync.h"
#include "common/types.h"

namespace tarn::transport {

// Thread safety: safe. Lock order: mu_ is a leaf.
class Unsynced {
 public:
  // Beyond this many inodes somebody should sync everything: see TakeFull.
  static constexpr size_t kMaxInodes = 65'536;

  // A change of the inode was acknowledged.
  void Note(Ino ino) ABSL_LOCKS_EXCLUDED(mu_);
  // Of what the server has stored. True: it is another than before, and what was acknowledged so
  // far and not synced may be lost.
  bool NoteIncarnation(uint64_t incarnation) ABSL_LOCKS_EXCLUDED(mu_);
  // True when there is too much of it, but at most once in kMaxInodes changes.
  bool TakeFull() ABSL_LOCKS_EXCLUDED(mu_);

  // An fsync, which makes everything durable that was acknowledged before it: the moment before it
  // is sent, and that of its success.
  struct Mark {
    uint64_t last = 0;
    uint64_t losses = 0;
  };
  Mark Begin() const ABSL_LOCKS_EXCLUDED(mu_);
  void End(const Mark& began) ABSL_LOCKS_EXCLUDED(mu_);
  // True: changes of the inode (kNoIno: of any) may be lost. Said once.
  bool TakeLost(Ino ino) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Change {
    uint64_t last = 0;    // the number of the inode's last change
    uint64_t losses = 0;  // of power, before its first change that was not synced
  };

  mutable Mutex mu_;
  uint64_t last_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t losses_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t incarnation_ ABSL_GUARDED_BY(mu_) = 0;  // 0: not known yet
  uint64_t full_at_ ABSL_GUARDED_BY(mu_) = 0;  // a number of changes
  absl::flat_hash_map<Ino, Change> changes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::transport
