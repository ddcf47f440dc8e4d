// LocalFs: the FileSystem that runs on a store. It owns what one file system holds in memory: the
// latches, opens and locks; the rules of common/posix do the thinking.
//
// A verb runs on the thread that calls it as far as memory serves, else on the pool. A lock that
// must wait is parked as a record and answered by whoever frees it; so is a request that must wait
// for leases of others (ops/leases.h). Handles are checked against
// their tags first, and replies get theirs (Caller::access_point).
// Thread safety: safe. Lifetime: stop calling before destroying; the destructor answers what is
// parked with EINTR and joins its threads.
// Errors beyond a verb's own: kBlocked, where a parked request was dropped without effect (its
// session ended, or DropParked): that is no answer, whoever has sent it asks again.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "common/clock.h"
#include "common/filesystem.h"
#include "common/limits.h"
#include "server/state/lease_table.h"
#include "server/store/store.h"

namespace tarn::ops {

struct LocalFsOptions {
  int pool_threads = 4;
  // After a restart with sessions on record: nothing pinned is freed, no new lock is granted, and
  // nothing is stored until EndGrace: such requests are parked.
  bool grace = false;
  Timing timing;
};

class LocalFs : public FileSystem {
 public:
  static std::unique_ptr<LocalFs> Make(std::unique_ptr<store::Store> store, Clock& clock,
                                       const LocalFsOptions& options);

  virtual store::Store& store() = 0;
  // The handle of an inode as `access_point` sees it (for the root in Hello's reply).
  virtual Handle MakeHandle(Ino ino, uint64_t access_point) const = 0;

  // ---- sessions (called by the front, which owns their life) ----
  // Drops all opens, locks and leases of a session that has ended or was fenced, and its parked
  // requests (kBlocked); grants what waited. Its id must not be used again: late calls of it get no
  // open, and change nothing if they say that it has ended (Caller::session_ended): EBADF.
  virtual void EndSession(SessionId session) = 0;
  // Restores an open after a restart. Errors: ESTALE (the inode is gone), EBADF (wrong handle).
  virtual Status ReclaimOpen(const Caller& caller, Handle inode, OpenId open,
                             OpenAccess access) = 0;
  // Restores a lock during grace. Errors: EAGAIN (somebody else holds it), ESTALE.
  virtual Status ReclaimLock(const Caller& caller, const SetLockArgs& lock) = 0;
  virtual void EndGrace() = 0;

  // ---- leases (granted to callers with Caller::leases) ----
  // Told, with no lock held, on any thread, when there is a new recall for a session to answer.
  using RecallSink = std::function<void(SessionId session)>;
  virtual void SetRecallSink(RecallSink sink) = 0;
  // What a session has still to answer, numbered above `after`: ascending, at most `limit`. Numbers
  // are never used again, not by a later run of the server either.
  virtual std::vector<state::OpenRecall> RecallsOf(SessionId session, uint64_t after,
                                                   size_t limit) const = 0;
  // What the session says of its leases. Unknown numbers are ignored.
  // Touches memory only.
  virtual void ReturnLeases(SessionId session, const LeaseAnswers& answers) = 0;
  // During grace: the session has written to the file and not yet told all. Nobody else sees it
  // before it has. Errors: ESTALE, EAGAIN (somebody else has said so before).
  virtual Status ReclaimWritten(const Caller& caller, Handle inode) = 0;
  // Ends one request if it is parked, with EINTR.
  virtual void CancelParked(SessionId session, RequestId request) = 0;
  // Drops all parked requests (kBlocked), now and from now on: the server goes away.
  virtual void DropParked() = 0;
  // Told that `holder`, silent or not, has left a recall unanswered for longer than the recall
  // deadline (Timing); it should end the session. May block.
  using FenceOverdue = std::function<void(SessionId holder)>;
  virtual void SetFenceOverdue(FenceOverdue fence) = 0;

  // Asked, with no lock held and where it may wait for the disk, when `holder` stands in another
  // session's way, and every heartbeat (Timing) while somebody waits for it; true: it was silent
  // for too long and is now ended (EndSession was called), so try again.
  using ExpireSilent = std::function<bool(SessionId holder)>;
  virtual void SetExpireSilent(ExpireSilent expire) = 0;

  // Frees what nothing refers to and is due by now, as is done in the background anyway. Slow; for
  // tests and tools.
  virtual void ReclaimNow() = 0;
  // Aborts if a table does not make sense in itself. Slow; for tests.
  virtual void CheckInvariants() const = 0;
};

}  // namespace tarn::ops
