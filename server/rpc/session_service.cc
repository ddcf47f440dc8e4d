#include "server/rpc/session_service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "common/wire/lease.h"
#include "server/rpc/hello.h"

namespace tarn::rpc {
namespace {

using state::Session;

constexpr size_t kNonceBytes = 16;
constexpr size_t kClientNameMaxBytes = 1024;
constexpr size_t kPathMaxBytes = 4096;

grpc::Status NoSession() {
  return {grpc::StatusCode::UNAUTHENTICATED, "no such session: say Hello"};
}

grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context, const grpc::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

// Of "ipv4:10.0.0.1:4000" and the like: without the port.
std::string AddressOf(const std::string& peer) {
  if (peer.starts_with("unix:")) return "unix:";
  return peer.substr(0, peer.rfind(':'));
}

grpc::Status CheckHello(const v1::HelloRequest& request) {
  if (request.version() != kProtocolVersion) {
    return {grpc::StatusCode::FAILED_PRECONDITION,
            fmt::format("the server speaks version {} of the protocol, the client version {}: "
                        "install the same release on both",
                        kProtocolVersion, request.version())};
  }
  if (request.nonce().size() != kNonceBytes) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "Hello needs a nonce of 16 bytes"};
  }
  if (request.client_name().size() > kClientNameMaxBytes ||
      request.directory().size() > kPathMaxBytes) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "client name or directory too long"};
  }
  return grpc::Status::OK;
}

}  // namespace

template <class Request>
std::shared_ptr<Session> SessionService::Find(const Request& request) {
  return sessions_.Find(wire::SessionIdOf(request.session()), request.epoch());
}

grpc::ServerUnaryReactor* SessionService::Hello(grpc::CallbackServerContext* context,
                                                const v1::HelloRequest* request,
                                                v1::HelloReply* reply) {
  return RunOnControl(context, [=, this, peer = AddressOf(context->peer())] {
    return SayHello(*request, peer, *reply);
  });
}

grpc::ServerUnaryReactor* SessionService::RunOnControl(
    grpc::CallbackServerContext* context, absl::AnyInvocable<grpc::Status() &&> work) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const bool taken = control_.Post(
      AddressOf(context->peer()),
      [reactor, work = std::move(work)]() mutable { reactor->Finish(std::move(work)()); });
  if (!taken) {
    reactor->Finish({grpc::StatusCode::UNAVAILABLE, "too much at once: ask again later"});
  }
  return reactor;
}

grpc::Status SessionService::SayHello(const v1::HelloRequest& request, const std::string& peer,
                                      v1::HelloReply& reply) {
  const grpc::Status checked = CheckHello(request);
  if (!checked.ok()) return checked;
  if (sessions_.stopping()) return {grpc::StatusCode::UNAVAILABLE, "the server stops"};

  const auto open = [&]() -> Result<std::shared_ptr<Session>> {
    ASSIGN_OR_RETURN(Volume* const volume, FindVolume(volumes_, request.file_system()));
    return OpenSession(request, peer, *volume, reply);
  };
  const Result<std::shared_ptr<Session>> session = open();
  if (!session.ok()) {
    reply.set_error(static_cast<int32_t>(session.code()));
    reply.set_message(session.error().message);
    return grpc::Status::OK;
  }
  (*session)->SetCaches((request.features() & v1::FEATURE_LEASES) != 0);
  FillHello(**session, clock_, reply);
  reply.set_lifetime_ns(static_cast<uint64_t>(sessions_.timing().session_lifetime_nanos));
  return grpc::Status::OK;
}

Result<std::shared_ptr<Session>> SessionService::OpenSession(const v1::HelloRequest& request,
                                                             const std::string& peer,
                                                             Volume& volume,
                                                             v1::HelloReply& reply) {
  if (request.has_previous() && request.replace()) {
    sessions_.Replace(wire::SessionIdOf(request.previous()), volume);
  } else if (request.has_previous()) {
    std::shared_ptr<Session> session =
        sessions_.Resume(wire::SessionIdOf(request.previous()), volume, peer);
    if (session != nullptr) {
      reply.set_resumed(true);
      return session;
    }
  }
  if (!request.access_point().empty()) {
    return Error(Errno::kENOENT,
                 fmt::format("the server has no access point '{}'", request.access_point()));
  }
  ASSIGN_OR_RETURN(const EntryReply root, ResolveDirectory(volume.fs(), request.directory()));
  const std::string printable = absl::Utf8SafeCEscape(request.client_name());
  state::SessionFacts facts{.volume = &volume,
                            .root = root.handle.ino,
                            .read_only = request.read_only(),
                            .client_name = printable};
  if (request.has_previous() && !request.replace()) {
    const SessionId previous = wire::SessionIdOf(request.previous());
    if (volume.KeepsRepliesOf(previous, facts)) facts.previous = previous;
  }
  ASSIGN_OR_RETURN(auto session, sessions_.Open(std::move(facts), request.nonce(), peer));
  reply.set_replies_kept(session->facts().previous != SessionId{});
  LogInfo("session opened for {}", session->facts().client_name);
  return session;
}

grpc::ServerUnaryReactor* SessionService::Heartbeat(grpc::CallbackServerContext* context,
                                                    const v1::HeartbeatRequest* request,
                                                    v1::HeartbeatReply* reply) {
  const std::shared_ptr<Session> session = Find(*request);
  if (session == nullptr || session->phase() != Session::Phase::kActive) {
    return Finish(context, NoSession());
  }
  reply->set_last_event(session->last_event());
  reply->set_server_time(clock_.Now().ns);
  return Finish(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* SessionService::Cancel(grpc::CallbackServerContext* context,
                                                 const v1::CancelRequest* request,
                                                 v1::CancelReply* reply) {
  const std::shared_ptr<Session> session = Find(*request);
  if (session == nullptr) return Finish(context, NoSession());
  const RequestId id{request->slot(), request->sequence()};
  session->Cancel(id);
  const state::SessionFacts& facts = session->facts();
  static_cast<Volume*>(facts.volume)->fs().CancelParked(facts.id, id);
  return Finish(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* SessionService::Goodbye(grpc::CallbackServerContext* context,
                                                  const v1::GoodbyeRequest* request,
                                                  v1::GoodbyeReply* reply) {
  return RunOnControl(context, [=, this] {
    sessions_.Goodbye(wire::SessionIdOf(request->session()), request->epoch());
    return grpc::Status::OK;
  });
}

grpc::ServerUnaryReactor* SessionService::Reclaim(grpc::CallbackServerContext* context,
                                                  const v1::ReclaimRequest* request,
                                                  v1::ReclaimReply* reply) {
  if (request->opens_size() > static_cast<int>(kReclaimBatch) ||
      request->locks_size() > static_cast<int>(kReclaimBatch)) {
    return Finish(context, {grpc::StatusCode::INVALID_ARGUMENT, "too much in one Reclaim"});
  }
  return RunOnControl(context, [=, this] { return DoReclaim(*request, *reply); });
}

grpc::Status SessionService::DoReclaim(const v1::ReclaimRequest& request,
                                       v1::ReclaimReply& reply) {
  if (sessions_.stopping()) return {grpc::StatusCode::UNAVAILABLE, "the server stops"};
  const std::shared_ptr<Session> session = Find(request);
  if (session == nullptr) return NoSession();
  const state::SessionFacts& facts = session->facts();
  ops::LocalFs& fs = static_cast<Volume*>(facts.volume)->fs();
  Caller caller;
  caller.session = facts.id;
  caller.access_point = facts.access_point;
  caller.read_only = facts.read_only;
  for (const v1::ReclaimOpen& open : request.opens()) {
    const Result<OpenAccess> access = wire::OpenAccessOf(open.access());
    if (!access.ok() ||
        !fs.ReclaimOpen(caller, wire::HandleOf(open.inode()), OpenId{open.open()}, *access).ok()) {
      reply.add_lost_opens(open.open());
    }
  }
  for (int i = 0; i < request.locks_size(); ++i) {
    SetLockArgs lock;
    if (!wire::Take(request.locks(i), lock).ok() || !fs.ReclaimLock(caller, lock).ok()) {
      reply.add_lost_locks(static_cast<uint64_t>(i));
    }
  }
  for (const v1::Handle& written : request.written()) {
    const Handle inode = wire::HandleOf(written);
    if (Status reclaimed = fs.ReclaimWritten(caller, inode); !reclaimed.ok()) {
      LogWarning("inode {} was written to by {}, but: {}", Raw(inode.ino), facts.client_name,
                 ErrnoName(reclaimed.code()));
    }
  }
  if (request.done()) sessions_.Reclaimed(*session);
  return grpc::Status::OK;
}

grpc::ServerWriteReactor<v1::Event>* SessionService::Events(grpc::CallbackServerContext* context,
                                                            const v1::EventsRequest* request) {
  const std::shared_ptr<Session> session = Find(*request);
  auto* const stream = new EventStream(streams_, session);
  if (session == nullptr) {
    stream->End(NoSession());
    return stream;
  }
  const SessionId id = session->facts().id;
  streams_.Add(id, stream);
  streams_.Wake(id);  // what is still open of before
  return stream;
}

grpc::ServerUnaryReactor* SessionService::ReturnLeases(grpc::CallbackServerContext* context,
                                                       const v1::ReturnLeasesRequest* request,
                                                       v1::ReturnLeasesReply* reply) {
  return Finish(context, DoReturnLeases(*request));
}

grpc::Status SessionService::DoReturnLeases(const v1::ReturnLeasesRequest& request) {
  const std::shared_ptr<Session> session = Find(request);
  if (session == nullptr) return NoSession();
  const state::SessionFacts& facts = session->facts();
  static_cast<Volume*>(facts.volume)->fs().ReturnLeases(facts.id, wire::LeaseAnswersOf(request));
  return grpc::Status::OK;
}

bool SessionService::Take(std::string_view path, const Bytes& request, Arrival& arrival) {
  if (path != wire::kReturnLeasesPath) return false;
  v1::ReturnLeasesRequest message;
  const Status read = wire::Decode(request, message);
  const grpc::Status done =
      read.ok() ? DoReturnLeases(message)
                : grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, read.error().message);
  if (done.ok()) {
    arrival.Answer(wire::Encode(v1::ReturnLeasesReply()));
  } else {
    arrival.Refuse(done);
  }
  return true;
}

}  // namespace tarn::rpc
