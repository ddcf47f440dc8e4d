// RemoteFs: the FileSystem of a server, over the network. One template for all verbs; what makes it
// reliable is in Session.
#pragma once

#include <memory>
#include <optional>

#include "client/transport/options.h"
#include "common/filesystem.h"

namespace tarn::transport {

class Session;

// Thread safety: safe. Verbs run on the caller's thread up to the socket, `done` on one of gRPC's.
// Errors: besides those of the verbs, EIO where a session or an open was lost, EINTR (cancelled).
// Lifetime: the destructor closes it. Neither it nor Close may run within a `done`. gRPC starts
// threads: make it after the last fork.
class RemoteFs final : public FileSystem {
 public:
  // Errors: EINVAL (address), ETIMEDOUT (unreachable), EOPNOTSUPP (version), ENOENT and ENOTDIR
  // (file system, directory), each with a sentence for the user.
  static Result<std::unique_ptr<RemoteFs>> Connect(const ConnectOptions& options);
  ~RemoteFs() override;

  const EntryReply& root() const { return info().root; }
  const SessionInfo& info() const;

  // Answers what is outstanding with EIO and ends the session at the server. Idempotent.
  void Close();

  // ---- leases (ConnectOptions::leases) ----
  // Before the first verb; null: nobody any more (when it returns, no call is under way).
  void SetLeaseHolder(LeaseHolder* holder);
  void AnswerRecall(uint64_t event);
  // Sent with the next answer, or soon.
  void ReturnLease(LeaseReturn lease);
  // An open that the server has not been told of, to be restored with the others. Only from within
  // OnLeasesLost.
  void HoldOpen(Handle inode, OpenId open, OpenAccess access);
  // A file that was written to and not all told; likewise.
  void HoldWritten(Handle inode);
  // Instead of AnswerRecall, of one to kExclusive.
  void AnswerGlimpse(const Glimpse& glimpse);
  // The session that leases are granted to now. A call whose Caller names one fails with EIO rather
  // than be sent in another's name.
  SessionId session() const;
  // Everything through this open fails with EIO from now on, but its end.
  void LoseOpen(OpenId open);
  // What an open that the server knows of permits; nullopt: it was lost, or is not known there.
  std::optional<OpenAccess> AccessOf(OpenId open) const;
  // A lock that the server has not been told of; as HoldOpen.
  void HoldLock(const SetLockArgs& lock);
  // The server has granted locks of the inode.
  bool HoldsLocks(Ino ino) const;
  // Until when leases hold without another word from the server; CLOCK_BOOTTIME.
  int64_t valid_until_nanos() const;

#define TARN_DECLARE_VERB(verb, args, reply, mutates) \
  void verb(const Caller& caller, args arguments, Done<reply> done) override;
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB

 private:
  explicit RemoteFs(std::shared_ptr<Session> session);

  const std::shared_ptr<Session> session_;
};

}  // namespace tarn::transport
