// Which lock owners may hold locks through which opens, so that closing costs a round trip only
// where there is something to drop, and so that a lock request cannot overtake the end of an open.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "common/filesystem.h"
#include "common/sync.h"

namespace tarn::fuse {

// The kernel keeps no lock itself: fcntl's are dropped by the FLUSH of each close, flock's and
// OFD's by the RELEASE of the open. RELEASE is sent when nobody waits for it, so the next process
// may ask for a lock before the server has heard of it; such a request is held back here until it
// has. Thread safety: safe. A leaf: calls nothing while it holds its mutex. Invariants: an inode
// without notes, releases and waiters has no entry.
class LockBook {
 public:
  using Next = absl::AnyInvocable<void() &&>;

  // `owner` may hold a lock that was set through `open`. Call before the request is sent, and again
  // when it was granted: a close by another thread may have come between.
  void Note(Ino ino, OpenId open, LockOwner owner);
  // A close by `owner`: true if the server must hear of it. Takes the owner's notes away.
  bool TakeOwner(Ino ino, LockOwner owner);

  // The end of `open`: true if locks were noted; then lock requests of the inode wait until
  // EndRelease, which the caller owes. Takes the open's notes away.
  bool BeginRelease(Ino ino, OpenId open);
  // The server has dropped the locks. Runs on this thread what waited for that.
  void EndRelease(Ino ino);
  // Runs `next` at once, or as soon as no release of the inode is under way.
  void AfterReleases(Ino ino, Next next);

 private:
  struct Holder {
    LockOwner owner;
    OpenId open;
    bool operator==(const Holder&) const = default;
  };
  struct Entry {
    std::vector<Holder> holders;
    int releases = 0;  // under way
    std::vector<Next> waiting;
    bool empty() const { return holders.empty() && releases == 0 && waiting.empty(); }
  };
  // Most mounts see no lock for most of the time; then nothing here takes the mutex.
  bool NothingNoted() const { return entry_count_.load(std::memory_order_acquire) == 0; }
  Entry& EntryOf(Ino ino) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EraseIfEmpty(Ino ino) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  std::atomic<size_t> entry_count_ = 0;
  Mutex mu_;
  absl::flat_hash_map<Ino, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::fuse
