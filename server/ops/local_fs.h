// LocalFs: the FileSystem that runs on a store. It owns what one file system holds in memory: the
// latches, opens and locks; the rules of common/posix do the thinking.
//
// A verb runs on the thread that calls it as far as memory serves, else on the pool. A lock that
// must wait is parked as a record and answered by whoever frees it. Handles are checked against
// their tags first, and replies get theirs (Caller::access_point).
// Thread safety: safe. Lifetime: stop calling before destroying; the destructor answers what is
// parked with EINTR and joins its threads.
#pragma once

#include <memory>

#include "common/clock.h"
#include "common/filesystem.h"
#include "server/store/store.h"

namespace tarn::ops {

struct LocalFsOptions {
  int pool_threads = 4;
  // After a restart with sessions on record: nothing pinned is freed and no new lock is granted
  // until EndGrace.
  bool grace = false;
};

class LocalFs : public FileSystem {
 public:
  static std::unique_ptr<LocalFs> Make(std::unique_ptr<store::Store> store, Clock& clock,
                                       const LocalFsOptions& options);

  virtual store::Store& store() = 0;
  // The handle of an inode as `access_point` sees it (for the root in Hello's reply).
  virtual Handle MakeHandle(Ino ino, uint64_t access_point) const = 0;

  // ---- sessions (called by the front, which owns their life) ----
  // Drops all opens and locks of a session that has ended or was fenced; grants what waited. Its id
  // must not be used again: late calls of it get no open (EBADF).
  virtual void EndSession(SessionId session) = 0;
  // Restores an open after a restart. Errors: ESTALE (the inode is gone), EBADF (wrong handle).
  virtual Status ReclaimOpen(const Caller& caller, Handle inode, OpenId open,
                             OpenAccess access) = 0;
  // Restores a lock during grace. Errors: EAGAIN (somebody else holds it), ESTALE.
  virtual Status ReclaimLock(const Caller& caller, const SetLockArgs& lock) = 0;
  virtual void EndGrace() = 0;

  // Asked, with no lock held and where it may wait for the disk, when `holder` stands in another
  // session's way, and every kHeartbeatNanos while somebody waits for it; true: it was silent
  // for too long and is now ended (EndSession was called), so try again.
  using ExpireSilent = std::function<bool(SessionId holder)>;
  virtual void SetExpireSilent(ExpireSilent expire) = 0;

  // Frees what nothing refers to and is due by now, as is done in the background anyway. Slow; for
  // tests and tools.
  virtual void ReclaimNow() = 0;
};

}  // namespace tarn::ops
