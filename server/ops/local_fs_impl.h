// LocalFs as it is made: the driver, the tables and the threads of one file system.
//
// Thread safety: safe. Lock order: latches, then everybody's leaf mutexes.
// Lifetime: members go in reverse order; the destructor first ends what waits, then the threads.
#pragma once

#include <memory>

#include "server/ops/driver.h"
#include "server/ops/housekeeper.h"
#include "server/ops/leases.h"
#include "server/ops/local_fs.h"
#include "server/ops/locks.h"
#include "server/ops/orphans.h"

namespace tarn::ops {

class LocalFsImpl : public LocalFs {
 public:
  LocalFsImpl(std::unique_ptr<store::Store> store, Clock& clock, const LocalFsOptions& options);
  ~LocalFsImpl() override;

  store::Store& store() override { return *store_; }
  Handle MakeHandle(Ino ino, uint64_t access_point) const override {
    return driver_.MakeHandle(ino, access_point);
  }

  void EndSession(SessionId session) override;
  Status ReclaimOpen(const Caller& caller, Handle inode, OpenId open, OpenAccess access) override;
  Status ReclaimLock(const Caller& caller, const SetLockArgs& lock) override;
  void EndGrace() override;
  void SetRecallSink(RecallSink sink) override { leases_->SetRecallSink(std::move(sink)); }
  std::vector<state::OpenRecall> RecallsOf(SessionId session, uint64_t after,
                                           size_t limit) const override {
    return lease_table_.RecallsOf(session, after, limit);
  }
  void ReturnLeases(SessionId session, const LeaseAnswers& answers) override {
    leases_->Return(session, answers);
  }
  Status ReclaimWritten(const Caller& caller, Handle inode) override;
  void CancelParked(SessionId session, RequestId request) override {
    leases_->CancelParked(session, request);
  }
  void DropParked() override { leases_->Stop(Errno::kBlocked); }
  void SetFenceOverdue(FenceOverdue fence) override { leases_->SetFenceOverdue(std::move(fence)); }
  void SetExpireSilent(ExpireSilent expire) override;
  void ReclaimNow() override { reclaimer_.ReclaimNow(); }
  void CheckInvariants() const override {
    opens_.CheckInvariants();
    locks_->CheckInvariants();
    lease_table_.CheckInvariants();
  }

#define TARN_DECLARE_VERB(verb, args, reply, mutates) \
  void verb(const Caller& caller, args arguments, Done<reply> done) override;
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB

 private:
  // What the housekeeper does.
  absl::Duration Round();
  // Errors: EBADF (no such open of that inode, or without `access`), ESTALE (the inode is gone),
  // kBlocked.
  Status CheckOpen(Attempt& attempt, SessionId session, OpenId open, Ino ino,
                   OpenAccess access) const;
  // The same, or for kNoOpen what posix::Open says of such an open.
  Status CheckMayUse(Attempt& attempt, const Caller& caller, OpenId open, Handle inode,
                     OpenAccess access) const;
  void HideUntold(const Caller& caller, ReadDirReply& reply) const;
  // Of a lock that must wait for others': its owner may then go on by himself, if nobody else
  // wants one.
  Done<Unit> ThenGoOn(const Caller& caller, const SetLockArgs& args, Done<Unit> done);
  Result<CopyRangeReply> Copy(Attempt& attempt, const Caller& caller,
                              const CopyRangeArgs& args) const;

  const Timing timing_;
  const std::unique_ptr<store::Store> store_;
  Latches latches_;
  state::OpenTable opens_;
  state::LeaseTable lease_table_;
  Reclaimer reclaimer_;
  std::unique_ptr<Pool> pool_;
  const std::shared_ptr<Locks> locks_;
  const std::shared_ptr<Leases> leases_;
  Driver driver_;
  Housekeeper housekeeper_;
};

}  // namespace tarn::ops
