// Who has what open: opens by (session, OpenId), and how many each inode has.
//
// Thread safety: safe. Find, on the path of every read and write, takes one of a few shards shared;
// Add and the removals also take the mutex of the counts.
// Invariants: the counts are those of the opens in the shards.
// Lock order: a shard, then mu_; both are leaves to everybody else.
// Lifetime: volatile; clients restore their opens after a restart (LocalFs::ReclaimOpen). Whoever
// adds an open holds the inode's latch, so that whoever frees an inode under its latch can rely on
// IsOpen.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/filesystem.h"
#include "common/limits.h"
#include "common/result.h"
#include "common/sync.h"

namespace tarn::state {

struct Open {
  Ino ino = kNoIno;
  OpenAccess access = OpenAccess::kNone;
  bool operator==(const Open&) const = default;
};

class OpenTable {
 public:
  explicit OpenTable(uint32_t opens_per_session = kOpensPerSession,
                     uint64_t opens_max = kOpensMax, uint32_t opens_share = kOpensShare)
      : opens_per_session_(opens_per_session), opens_max_(opens_max), opens_share_(opens_share) {}

  // Registers an open; true: it is new. The same id for the same inode again changes nothing (but
  // the access, to what is asked for now). Errors: ENFILE (limits), EBADF (the id names an open of
  // another inode, or the session has ended).
  Result<bool> Add(SessionId session, OpenId id, Open open);
  std::optional<Open> Find(SessionId session, OpenId id) const;
  // What the open was, and whether it was the inode's last; nullopt: no such open.
  struct Removed {
    Ino ino = kNoIno;
    bool last = false;
  };
  std::optional<Removed> Remove(SessionId session, OpenId id);
  // Removes all opens of a session and refuses it later ones, for calls that are still under way.
  // Returns the inodes that are no longer open.
  std::vector<Ino> DropSession(SessionId session);

  bool IsOpen(Ino ino) const;
  // Whether the session has the inode open for reading, under any id.
  bool IsReadable(Ino ino, SessionId session) const;
  size_t CountOf(SessionId session) const;
  // Aborts with a sentence if an invariant is broken. Slow: for tests.
  void CheckInvariants() const;

 private:
  static constexpr size_t kShards = 16;
  using Key = std::pair<SessionId, OpenId>;
  struct alignas(64) Shard {
    mutable Mutex mu;
    absl::flat_hash_map<Key, Open> opens ABSL_GUARDED_BY(mu);
  };
  const Shard& ShardOf(SessionId session, OpenId id) const;
  Shard& ShardOf(SessionId session, OpenId id);
  struct Count {
    uint64_t opens = 0;
    uint64_t readable = 0;
  };
  void CountIn(SessionId session, Open open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True: it was the last of the inode.
  bool CountOut(SessionId session, Open open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const uint32_t opens_per_session_;
  const uint64_t opens_max_;    // of all sessions; beyond it
  const uint32_t opens_share_;  // only who has fewer than this gets another
  std::array<Shard, kShards> shards_;
  mutable Mutex mu_;
  uint64_t total_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<Ino, uint64_t> by_inode_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<SessionId, uint64_t> by_session_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::pair<Ino, SessionId>, Count> by_both_ ABSL_GUARDED_BY(mu_);
  // The latest kSessionsMax sessions that ended, oldest first; far more than can have calls under
  // way.
  absl::flat_hash_set<SessionId> ended_ ABSL_GUARDED_BY(mu_);
  std::deque<SessionId> ended_order_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::state
