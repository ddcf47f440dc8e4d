#include "client/transport/remote_fs.h"

#include <utility>

#include "client/transport/call.h"
#include "client/transport/session.h"
#include "common/limits.h"

namespace tarn::transport {

RemoteFs::RemoteFs(std::shared_ptr<Session> session) : session_(std::move(session)) {}

RemoteFs::~RemoteFs() { Close(); }

Result<std::unique_ptr<RemoteFs>> RemoteFs::Connect(const ConnectOptions& options) {
  ASSIGN_OR_RETURN(const std::string target, TargetOf(options.server));
  auto session = std::make_shared<Session>(options, target);
  if (Status connected = session->Connect(); !connected.ok()) {
    session->Close();  // else a completion that still holds it ends it, on one of gRPC's threads
    return connected.error();
  }
  return std::unique_ptr<RemoteFs>(new RemoteFs(std::move(session)));
}

const SessionInfo& RemoteFs::info() const { return session_->info(); }

void RemoteFs::Close() { session_->Close(); }

void RemoteFs::SetLeaseHolder(LeaseHolder* holder) { session_->SetLeaseHolder(holder); }
void RemoteFs::AnswerRecall(uint64_t event) { session_->AnswerRecall(event); }
void RemoteFs::ReturnLease(LeaseReturn lease) { session_->ReturnLease(lease); }
void RemoteFs::HoldOpen(Handle inode, OpenId open, OpenAccess access) {
  session_->held().Add(open, inode, access);
}
void RemoteFs::HoldWritten(Handle inode) { session_->HoldWritten(inode); }
void RemoteFs::AnswerGlimpse(const Glimpse& glimpse) { session_->AnswerGlimpse(glimpse); }
SessionId RemoteFs::session() const { return session_->id(); }
void RemoteFs::LoseOpen(OpenId open) { session_->held().Lose(open); }
std::optional<OpenAccess> RemoteFs::AccessOf(OpenId open) const {
  return session_->held().AccessOf(open);
}
void RemoteFs::HoldLock(const SetLockArgs& lock) { session_->held().Add(lock); }
bool RemoteFs::HoldsLocks(Ino ino) const { return session_->held().HoldsLocks(ino); }
int64_t RemoteFs::valid_until_nanos() const { return session_->valid_until_nanos(); }

namespace {

// What hears of an fsync that begins now.
Done<Unit> Syncing(const std::shared_ptr<Session>& session, const FsyncArgs& args,
                   Done<Unit> done) {
  Unsynced& unsynced = session->held().unsynced();
  const Ino ino = args.inode == session->info().root.handle ? kNoIno : args.inode.ino;
  return [session, &unsynced, began = unsynced.Begin(), ino,
          done = std::move(done)](Result<Unit> result) mutable {
    if (result.ok()) unsynced.End(began);
    if (unsynced.TakeLost(ino)) {
      result = Error(Errno::kEIO, "the server lost power before this was synced");
    }
    std::move(done)(std::move(result));
  };
}

template <class V>
void Submit(const std::shared_ptr<Session>& session, const Caller& caller, typename V::Args args,
            Done<typename V::Reply> done) {
  if constexpr (std::is_same_v<V, verbs::Fsync>) done = Syncing(session, args, std::move(done));
  if constexpr (std::is_same_v<V, verbs::Release>) {
    // Nobody waits for the end of an open that locks nothing: it is told with the next request.
    if (!session->held().HoldsLocks(args.inode.ino)) {
      if (session->held().End(args) >= kEndedOpensPerRequest) session->SayEnded();
      return std::move(done)(Unit{});
    }
  }
  session->Submit(std::make_shared<VerbCall<V>>(caller, std::move(args), std::move(done)));
}

}  // namespace

#define TARN_DECLARE_VERB(verb, args, reply, mutates)                               \
  void RemoteFs::verb(const Caller& caller, args arguments, Done<reply> done) {     \
    Submit<verbs::verb>(session_, caller, std::move(arguments), std::move(done));   \
  }
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB

}  // namespace tarn::transport
