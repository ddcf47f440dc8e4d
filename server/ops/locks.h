// File locks as verbs: checks, waiting, interruption, grace, silent holders. Who holds what is
// LockTable's.
//
// A request that must wait is a record: in the table, or, during the grace period, in grace_ (then
// even one that would not wait). It is answered once, by whoever takes the record away: a grant,
// the caller's Cancellation (EINTR), the end of its open (EBADF) or of its session (EINTR).
// A holder in another session's way may be dead: the front is asked (ExpireSilent), on the pool,
// for that may write to the disk; and again while somebody waits (RecheckHolders).
//
// Thread safety: safe. Lock order: mu_ is a leaf, never held together with the table's.
// Lifetime: shared, since a Cancellation may outlive the file system; it holds a weak pointer.
// After Stop nothing waits.
#pragma once

#include <atomic>
#include <map>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "common/sync.h"
#include "server/ops/local_fs.h"
#include "server/ops/pool.h"
#include "server/state/lock_table.h"
#include "server/state/open_table.h"

namespace tarn::ops {

class Locks : public std::enable_shared_from_this<Locks> {
 public:
  // `waiting` runs when somebody begins to wait, with no lock held: RecheckHolders will be needed.
  Locks(const state::OpenTable& opens, Pool& pool, bool grace, std::function<void()> waiting);

  // Handles have been checked.
  void Get(const Caller& caller, const GetLockArgs& args, Done<GetLockReply> done) const;
  void Set(const Caller& caller, SetLockArgs args, Done<Unit> done);
  // Until `done` has run, nobody else may be given the file exclusively (IsOfOthers). Returns the
  // `done` to use. Before the leases of others are asked about.
  Done<Unit> Announce(SessionId session, Ino ino, Done<Unit> done);
  // Another session holds a lock of the inode, or has asked for one.
  bool IsOfOthers(Ino ino, SessionId session) const;
  Status Reclaim(const Caller& caller, const SetLockArgs& args);
  void CheckInvariants() const { table_.CheckInvariants(); }
  void DropOwner(SessionId session, const FlushArgs& args);
  void DropOpen(SessionId session, Ino ino, OpenId open);
  void DropSession(SessionId session);
  void EndGrace();
  // Answers all that waits, now and from now on, with EINTR.
  void Stop();

  void SetExpireSilent(LocalFs::ExpireSilent expire);
  // Asks about every session that others wait for. False: nobody waits.
  bool RecheckHolders();

 private:
  struct Parked {
    Caller caller;
    SetLockArgs args;
    Done<Unit> done;
  };

  // True: kept until the grace period ends; `args` and `done` are taken.
  bool ParkInGrace(const Caller& caller, SetLockArgs& args, Done<Unit>& done);
  void CancelParked(uint64_t id);
  void SetNow(const Caller& caller, const state::LockRequest& request, Done<Unit> done);
  void SetWaiting(const Caller& caller, const state::LockRequest& request, Done<Unit> done);
  // Errors: EINVAL, EBADF.
  Status Check(SessionId session, const SetLockArgs& args) const;
  // The open may have gone while its lock was set: then the lock goes as well.
  bool StillOpen(const state::LockRequest& request);
  // True: a holder in the way was ended, so it is worth trying again. May wait for the disk.
  bool ExpireHolders(const state::LockRequest& request);
  LocalFs::ExpireSilent expire() const;

  const state::OpenTable& opens_;
  Pool& pool_;
  const std::function<void()> waiting_;
  state::LockTable table_;
  mutable Mutex mu_;
  std::atomic<bool> stopped_{false};
  bool in_grace_ ABSL_GUARDED_BY(mu_);
  uint64_t last_parked_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<uint64_t, Parked> grace_ ABSL_GUARDED_BY(mu_);  // by order of arrival
  LocalFs::ExpireSilent expire_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::pair<Ino, SessionId>, uint32_t> announced_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::ops
