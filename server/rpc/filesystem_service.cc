#include "server/rpc/filesystem_service.h"

#include <utility>

#include "common/fault.h"
#include "common/limits.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "common/wire/lease.h"
#include "server/ops/verb_traits.h"
#include "server/rpc/volume.h"

namespace tarn::rpc {
namespace {

using state::Admission;
using state::Session;

// A lock request that may be parked: it is dropped when nobody is there any more to hear the
// answer.
class WaitReactor final : public grpc::ServerUnaryReactor {
 public:
  WaitReactor(std::shared_ptr<Session> session, RequestId id)
      : session_(std::move(session)), id_(id) {}
  void OnCancel() override { session_->Leave(id_); }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<Session> session_;
  const RequestId id_;
};

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, grpc::StatusCode code,
                                 const std::string& why) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish({code, why});
  return reactor;
}

void Send(grpc::ServerUnaryReactor* reactor, grpc::ByteBuffer* answer, const Bytes* bytes) {
  if (bytes == nullptr || FaultHits(FaultPoint::kReplySend)) {
    reactor->Finish({grpc::StatusCode::UNAVAILABLE, "the request was dropped: send it again"});
    return;
  }
  *answer = wire::ToBuffer(*bytes);
  reactor->Finish(grpc::Status::OK);
}

template <class V>
Status DecodeRequest(const grpc::ByteBuffer& request, typename wire::WireOf<V>::Request& message,
                     typename V::Args& args) {
  if constexpr (wire::WireOf<V>::kRequestData) {
    return wire::Decode(request, message, args.data);
  } else {
    return wire::Decode(request, message);
  }
}

std::shared_ptr<const Formerly> FormerlyOf(const v1::RequestHeader& header,
                                           const state::SessionFacts& facts) {
  if (header.former_size() == 0) return nullptr;
  auto formerly = std::make_shared<Formerly>(Formerly{.previous = facts.previous});
  for (const v1::FormerRequest& former : header.former()) {
    formerly->requests.push_back(wire::FormerRequestOf(former));
  }
  return formerly;
}

// Adds to the identity what the session and its slot say.
void Complete(Caller& caller, const std::shared_ptr<Session>& session,
              const v1::RequestHeader& header, RequestId id, Session::Admitted& admitted) {
  const state::SessionFacts& facts = session->facts();
  caller.session = facts.id;
  caller.session_ended = {session, &session->ended()};
  caller.access_point = facts.access_point;
  caller.read_only = facts.read_only;
  caller.request = id;
  caller.maybe_replay = admitted.maybe_replay;
  caller.formerly = FormerlyOf(header, facts);
  caller.cancellation = std::move(admitted.cancellation);
}

// Only locks may wait for ever. What is parked for leases waits for holders that must answer or are
// fenced; a retry of it joins it.
bool Waits(const v1::SetLockRequest& request) { return request.wait(); }
bool Waits(const google::protobuf::MessageLite& request) { return false; }

// What can be wrong with a header.
Status TakeHeader(const v1::RequestHeader& header, Caller& caller) {
  const bool fits = header.ended_size() <= int{kEndedOpensPerRequest} &&
                    header.former_size() <= int{kFormerRequestsMax};
  return fits ? wire::Take(header.caller(), caller) : Status(Errno::kEINVAL);
}

// Opens that ended before the request was made. Of one that is not known there is nothing to do.
void EndOpens(ops::LocalFs& fs, const Caller& caller, const v1::RequestHeader& header) {
  for (const v1::EndedOpen& ended : header.ended()) {
    fs.Release(caller, wire::EndedOpenOf(ended), [](Result<Unit>) {});
  }
}

// An error of a session that has ended may come from that alone: then there is no answer, and its
// client asks again in its next session's name.
bool IsAnswer(Errno code, const Session& session) {
  return code != Errno::kBlocked && (code == Errno::kOk || !session.ended());
}

}  // namespace

template <class V>
Bytes FilesystemService::EncodeReply(const state::Session& session,
                                     const Result<typename V::Reply>& result,
                                     const LeaseNews* news) {
  typename wire::WireOf<V>::Reply message;
  v1::ReplyHeader& header = *message.mutable_header();
  header.set_server_time(clock_.Now().ns);
  header.set_last_event(session.last_event());
  if (news != nullptr) wire::Fill(*news, header);
  if (!result.ok()) {
    header.set_error(static_cast<int32_t>(result.error().code));
    header.set_message(result.error().message);
  } else {
    wire::Fill(*result, message);
  }
  if constexpr (wire::WireOf<V>::kReplyData) {
    return wire::Encode(message, result.ok() ? result->data : Bytes());
  } else {
    return wire::Encode(message);
  }
}

template <class V>
grpc::ServerUnaryReactor* FilesystemService::Serve(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer& request,
                                                   grpc::ByteBuffer* answer) {
  typename wire::WireOf<V>::Request message;
  typename V::Args args;
  const Status decoded = DecodeRequest<V>(request, message, args);
  if (!decoded.ok()) {
    return Refuse(context, grpc::StatusCode::INVALID_ARGUMENT, decoded.error().message);
  }
  if (sessions_.stopping()) {
    return Refuse(context, grpc::StatusCode::UNAVAILABLE, "the server stops");
  }
  const v1::RequestHeader& header = message.header();
  std::shared_ptr<Session> session =
      sessions_.Find(wire::SessionIdOf(header.session()), header.epoch());
  if (session == nullptr) {
    return Refuse(context, grpc::StatusCode::UNAUTHENTICATED, "no such session: say Hello");
  }
  auto charge = sessions_.budget().Take(session->peer(), request.Length());
  if (!charge.has_value() || FaultHits(FaultPoint::kRequestAdmit)) {
    return Refuse(context, grpc::StatusCode::RESOURCE_EXHAUSTED, "too much is under way");
  }

  const RequestId id{header.slot(), header.sequence()};
  const bool waits = Waits(message);
  grpc::ServerUnaryReactor* const reactor =
      waits ? new WaitReactor(session, id) : context->DefaultReactor();
  state::Answer to_client = [reactor, answer, paid = *std::move(charge)](const Bytes* bytes) {
    Send(reactor, answer, bytes);
  };
  const state::RequestKind kind{V::kMutates, waits, ops::VerbNumber<V>()};
  Session::Admitted admitted = session->Begin(id, kind, to_client);
  switch (admitted.verdict) {
    case Admission::kRun:
      break;
    case Admission::kJoined:
      return reactor;
    case Admission::kReplay:
      Send(reactor, answer, &admitted.reply);
      return reactor;
    case Admission::kMisused:
      reactor->Finish({grpc::StatusCode::FAILED_PRECONDITION, "stale or unexpected sequence"});
      return reactor;
    case Admission::kNotNow:
      reactor->Finish({grpc::StatusCode::UNAUTHENTICATED, "resume the session: say Hello"});
      return reactor;
  }

  Caller caller;
  Status valid = TakeHeader(header, caller);
  if (valid.ok()) valid = wire::Take(message, args);
  if (!valid.ok()) {
    session->Finish(id, EncodeReply<V>(*session, valid.error(), nullptr), /*interrupted=*/false);
    return reactor;
  }
  Complete(caller, session, header, id, admitted);
  ops::LocalFs& fs = static_cast<Volume*>(session->facts().volume)->fs();
  EndOpens(fs, caller, header);
  std::shared_ptr<LeaseNews> news;
  if (ops::kHasNews<V> && session->caches()) news = std::make_shared<LeaseNews>();
  caller.leases = news;
  Done<typename V::Reply> done = [this, session, id, news](Result<typename V::Reply> result) {
    if (!IsAnswer(result.code(), *session)) return session->Drop(id);
    session->Finish(id, EncodeReply<V>(*session, result, news.get()),
                    result.code() == Errno::kEINTR);
  };
  V::Call(fs, caller, std::move(args), std::move(done));
  return reactor;
}

#define TARN_DECLARE_VERB(verb, args, reply, mutates)                        \
  template grpc::ServerUnaryReactor* FilesystemService::Serve<verbs::verb>( \
      grpc::CallbackServerContext*, const grpc::ByteBuffer&, grpc::ByteBuffer*);
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB

}  // namespace tarn::rpc
