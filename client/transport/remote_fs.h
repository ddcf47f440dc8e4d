// RemoteFs: the FileSystem of a server, over the network. One template for all verbs; what makes it
// reliable is in Session.
#pragma once

#include <memory>

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
