// Advisory locks: byte ranges (fcntl and OFD alike) and flock, with those who wait for them.
//
// An owner's ranges split, merge and convert as fcntl(2) has it; a flock is a range over everything
// of its own kind. As in Linux, a flock that is converted is dropped first, so two holders that
// both upgrade do not wait for each other for ever.
//
// Order. Requests that wait are granted in order of arrival: one is not overtaken by a later one
// that conflicts with it, readers and writers alike. Two exceptions keep order alone from tying a
// knot: an owner that holds a lock of the inode, or a process (session and pid, where known) that
// holds one anywhere, may be what the earlier waiter waits for, and waits for held locks only; and
// a request that does not wait (LOCK_NB, F_SETLK) is refused for held locks only.
//
// Deadlock. A range request that would wait, through held locks alone, for an owner that waits for
// its own fails with EDEADLK. Owners, not processes, are followed: one with several waiting
// requests (threads) is stuck only if each of them is, so that gives no false alarm. As in Linux,
// flocks are not looked at, nor cycles beyond a bounded length.
//
// Thread safety: safe, one mutex. Completions run on the thread that caused them, after it has let
// the mutex go.
// Invariants (CheckInvariants): ranges of two owners overlap only if both are read locks; a waiter
// has something to wait for; the counts are those of what is there.
// Lock order: a leaf.
// Errors: ENOLCK (limits), EAGAIN, EDEADLK, EINTR (cancelled), EBADF (its open went).
// Lifetime: volatile; restored by reclaim. Waiters left at destruction are answered with EINTR.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "common/filesystem.h"
#include "common/limits.h"
#include "common/result.h"
#include "common/sync.h"
#include "server/state/lock_ranges.h"

namespace tarn::state {

struct LockRequest {
  Ino ino = kNoIno;
  SessionId session;
  OpenId open{};
  LockOwner owner{};
  LockKind kind = LockKind::kRange;
  FileLock lock;  // type kUnlock: drops what is held of the range
};

enum class WaitId : uint64_t {};  // never reused; 0: none

struct LockLimits {
  uint32_t locks_per_session = kLocksPerSession;
  uint32_t waiters_per_session = kBlockedLocksPerSession;
};

class LockTable {
 public:
  explicit LockTable(LockLimits limits = {}) : limits_(limits) {}
  ~LockTable() { CancelAll(); }
  LockTable(const LockTable&) = delete;
  LockTable& operator=(const LockTable&) = delete;

  // Sets, converts or drops a lock at once. Errors: EAGAIN (held), ENOLCK.
  Status Set(const LockRequest& request);
  // The same, or waits: `done` runs once with the outcome, perhaps before this returns. Returns
  // what to Cancel, or 0 if `done` has run. Errors given to `done`: ENOLCK, EDEADLK, EINTR, EBADF.
  WaitId SetOrWait(const LockRequest& request, Done<Unit> done);
  // Ends a wait with EINTR. False: it has been answered, or never was.
  bool Cancel(WaitId wait);
  // Ends all waits with EINTR.
  void CancelAll();

  // F_GETLK: the first (by start) range that stands in the request's way or, with kUnlock, that is
  // the owner's own; type kUnlock if none.
  FileLock Test(const LockRequest& request) const;
  // The other sessions that hold locks in the request's way now.
  std::vector<SessionId> HoldersInTheWay(const LockRequest& request) const;
  // All sessions whose locks another session's requests wait for.
  std::vector<SessionId> HoldersWaitedFor() const;
  bool HasWaiters() const;
  // Another session holds a lock of the inode, or waits for one.
  bool IsOfOthers(Ino ino, SessionId session) const;

  // Drops an owner's range locks of an inode (close(2) of one of its descriptors).
  void DropOwner(Ino ino, SessionId session, LockOwner owner);
  // Drops what was set through an open; what waits through it ends with EBADF.
  void DropOpen(Ino ino, SessionId session, OpenId open);
  // Drops all of a session; what waits ends with EINTR.
  void DropSession(SessionId session);

  size_t CountOf(SessionId session) const;
  // Aborts with a sentence if an invariant is broken. Slow: for tests.
  void CheckInvariants() const;

 private:
  struct Owner {
    SessionId session;
    LockOwner owner{};
    auto operator<=>(const Owner&) const = default;
    template <class H>
    friend H AbslHashValue(H h, const Owner& o) {
      return H::combine(std::move(h), o.session, o.owner);
    }
  };
  struct Waiter {
    WaitId id{};
    LockRequest request;
    Done<Unit> done;
  };
  using Waiters = std::list<Waiter>;
  using Holders = std::map<Owner, LockRanges>;  // no empty ones
  struct InodeLocks {
    Holders held[2];  // by LockKind
    Waiters waiters;  // in order of arrival
    Holders& of(LockKind kind) { return held[static_cast<int>(kind)]; }
    const Holders& of(LockKind kind) const { return held[static_cast<int>(kind)]; }
  };
  struct SessionCounts {
    uint32_t held = 0;
    uint32_t waiting = 0;
    absl::flat_hash_map<uint32_t, uint32_t> held_by_pid;
  };
  struct Completions;
  struct Walk;

  static Owner OwnerOf(const LockRequest& r) { return {r.session, r.owner}; }
  // Calls `visit` for each other owner with a lock in the request's way, until it returns false.
  static void VisitBlockers(const InodeLocks& locks, const LockRequest& request,
                            absl::FunctionRef<bool(const Owner&, const HeldRange&)> visit);
  static bool IsBlocked(const InodeLocks& locks, const LockRequest& request);
  static bool ConflictsInQueue(const LockRequest& a, const LockRequest& b);

  InodeLocks& LocksOf(Ino ino) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Ends every change of an inode: grants what can be granted now, in order, and forgets the inode
  // if nothing is left.
  void Settle(Ino ino, Completions& out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool GrantOnce(InodeLocks& locks, Completions& out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True: a waiter before `end` conflicts, and order counts for this request.
  bool MustQueue(const InodeLocks& locks, const LockRequest& request,
                 Waiters::const_iterator end) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // Makes the change whatever others hold. Errors: ENOLCK.
  Status Apply(InodeLocks& locks, const LockRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Count(SessionId session, uint32_t pid, int delta) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CountWaiting(const LockRequest& request, bool waits) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetIfUnused(SessionId session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EraseHeld(Holders& holders,
                 absl::FunctionRef<bool(const Owner&, const HeldRange&)> drop)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes a waiter off its queue and answers it; returns the next.
  Waiters::iterator Answer(InodeLocks& locks, Waiters::iterator waiter, Status answer,
                           Completions& out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndWaits(InodeLocks& locks, absl::FunctionRef<bool(const LockRequest&)> which,
                Errno answer, Completions& out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool WouldDeadlock(const LockRequest& request) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool LeadsBack(Walk& walk, const LockRequest& request, int depth) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);

  const LockLimits limits_;
  mutable Mutex mu_;
  absl::flat_hash_map<Ino, std::unique_ptr<InodeLocks>> inodes_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<SessionId, SessionCounts> sessions_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<WaitId, std::pair<Ino, Waiters::iterator>> waits_ ABSL_GUARDED_BY(mu_);
  // Waiting range requests of each owner, for the search for cycles.
  absl::flat_hash_map<Owner, std::vector<const LockRequest*>> range_waits_ ABSL_GUARDED_BY(mu_);
  uint64_t last_wait_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace tarn::state
