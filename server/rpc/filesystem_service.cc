#include "server/rpc/filesystem_service.h"

#include <algorithm>
#include <functional>
#include <optional>
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

// A call that came by an rpc of its own.
class Alone final : public grpc::ServerUnaryReactor, public Arrival {
 public:
  explicit Alone(grpc::ByteBuffer* answer) : answer_(answer) {}

  void Hold(state::RequestBudget::Charge charge) override { charge_ = std::move(charge); }

  void Answer(const Bytes& reply) override {
    *answer_ = wire::ToBuffer(reply);
    Finish(grpc::Status::OK);
  }
  void Refuse(const grpc::Status& status) override { Finish(status); }
  bool Wait(std::function<void()> leave) override {
    leave_ = std::move(leave);
    return true;
  }

 private:
  void OnCancel() override {
    if (leave_) leave_();
  }
  void OnDone() override { delete this; }

  grpc::ByteBuffer* const answer_;
  std::optional<state::RequestBudget::Charge> charge_;
  std::function<void()> leave_;  // set before gRPC has the reactor, if at all
};

void Send(Arrival& arrival, const Bytes* reply) {
  if (reply == nullptr || FaultHits(FaultPoint::kReplySend)) {
    return arrival.Refuse(
        {grpc::StatusCode::UNAVAILABLE, "the request was dropped: send it again"});
  }
  arrival.Answer(*reply);
}

template <class V>
Status DecodeRequest(const Bytes& request, typename wire::WireOf<V>::Request& message,
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

// At most, of contents in the reply.
uint64_t ContentsAskedFor(const v1::ReadRequest& request) {
  return std::min<uint64_t>(request.size(), kTransferMaxBytes);
}
uint64_t ContentsAskedFor(const v1::ReadDirRequest& /*request*/) { return kReadDirMaxBytes; }
uint64_t ContentsAskedFor(const google::protobuf::MessageLite& /*request*/) { return 0; }

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
grpc::ServerUnaryReactor* FilesystemService::ServeAlone(const grpc::ByteBuffer& request,
                                                        grpc::ByteBuffer* answer) {
  auto* const alone = new Alone(answer);
  Result<Bytes> bytes = wire::FromBuffer(request);
  if (bytes.ok()) {
    Serve<V>(*bytes, *alone);
  } else {
    alone->Refuse({grpc::StatusCode::INVALID_ARGUMENT, bytes.error().message});
  }
  return alone;
}

template <class V>
void FilesystemService::Serve(const Bytes& request, Arrival& arrival) {
  typename wire::WireOf<V>::Request message;
  typename V::Args args;
  const Status decoded = DecodeRequest<V>(request, message, args);
  if (!decoded.ok()) {
    return arrival.Refuse({grpc::StatusCode::INVALID_ARGUMENT, decoded.error().message});
  }
  if (sessions_.stopping()) {
    return arrival.Refuse({grpc::StatusCode::UNAVAILABLE, "the server stops"});
  }
  const v1::RequestHeader& header = message.header();
  std::shared_ptr<Session> session =
      sessions_.Find(wire::SessionIdOf(header.session()), header.epoch());
  if (session == nullptr) {
    return arrival.Refuse({grpc::StatusCode::UNAUTHENTICATED, "no such session: say Hello"});
  }
  auto charge =
      sessions_.budget().Take(session->peer(), request.size() + ContentsAskedFor(message));
  if (!charge.has_value() || FaultHits(FaultPoint::kRequestAdmit)) {
    return arrival.Refuse({grpc::StatusCode::RESOURCE_EXHAUSTED, "too much is under way"});
  }

  const RequestId id{header.slot(), header.sequence()};
  const bool waits = Waits(message);
  if (waits && !arrival.Wait([session, id] { session->Leave(id); })) {
    return arrival.Refuse({grpc::StatusCode::INVALID_ARGUMENT, "what waits is an rpc of its own"});
  }
  arrival.Hold(*std::move(charge));
  state::Answer to_client = [&arrival](const Bytes* reply) { Send(arrival, reply); };
  const state::RequestKind kind{V::kMutates, waits, ops::VerbNumber<V>()};
  Session::Admitted admitted = session->Begin(id, kind, to_client);
  switch (admitted.verdict) {
    case Admission::kRun:
      return Run<V>(session, id, message, std::move(args), std::move(admitted));
    case Admission::kJoined:
      return;
    case Admission::kReplay:
      return Send(arrival, &admitted.reply);
    case Admission::kMisused:
      return arrival.Refuse(
          {grpc::StatusCode::FAILED_PRECONDITION, "stale or unexpected sequence"});
    case Admission::kNotNow:
      return arrival.Refuse(
          {grpc::StatusCode::UNAUTHENTICATED, "resume the session: say Hello"});
  }
}

template <class V>
void FilesystemService::Run(const std::shared_ptr<Session>& session, RequestId id,
                            const typename wire::WireOf<V>::Request& message,
                            typename V::Args args, Session::Admitted admitted) {
  Caller caller;
  Status valid = TakeHeader(message.header(), caller);
  if (valid.ok()) valid = wire::Take(message, args);
  if (!valid.ok()) {
    return session->Finish(id, EncodeReply<V>(*session, valid.error(), nullptr),
                           /*interrupted=*/false);
  }
  Complete(caller, session, message.header(), id, admitted);
  ops::LocalFs& fs = static_cast<Volume*>(session->facts().volume)->fs();
  EndOpens(fs, caller, message.header());
  std::shared_ptr<LeaseNews> news;
  if (ops::kHasNews<V> && session->caches()) news = std::make_shared<LeaseNews>();
  caller.leases = news;
  Done<typename V::Reply> done = [this, session, id, news](Result<typename V::Reply> result) {
    if (!IsAnswer(result.code(), *session)) return session->Drop(id);
    session->Finish(id, EncodeReply<V>(*session, result, news.get()),
                    result.code() == Errno::kEINTR);
  };
  V::Call(fs, caller, std::move(args), std::move(done));
}

FilesystemService::FilesystemService(state::SessionTable& sessions, Clock& clock)
    : sessions_(sessions),
      clock_(clock),
      verbs_({
#define TARN_DECLARE_VERB(verb, args, reply, mutates) \
  {wire::WireOf<verbs::verb>::kMethod, &FilesystemService::Serve<verbs::verb>},
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
      }) {
}

bool FilesystemService::Take(std::string_view path, const Bytes& request, Arrival& arrival) {
  const auto verb = verbs_.find(path);
  if (verb == verbs_.end()) return false;
  (this->*verb->second)(request, arrival);
  return true;
}

#define TARN_DECLARE_VERB(verb, args, reply, mutates)                             \
  template grpc::ServerUnaryReactor* FilesystemService::ServeAlone<verbs::verb>( \
      const grpc::ByteBuffer&, grpc::ByteBuffer*);
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB

}  // namespace tarn::rpc
