#include "tests/unit/rpc/mad_client.h"

#include <gtest/gtest.h>

#include <future>

#include "common/limits.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "common/wire/lease.h"
#include "tests/support/expect.h"

namespace tarn::transport {

using grpc::StatusCode;

grpc::Status MadClient::Send(const std::string& method, const Bytes& bytes,
                             grpc::ByteBuffer& reply) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(
      mad_.Chance(90) ? 500 : 20));
  const bool taken =
      method.starts_with("/tarn.v1.Filesystem/") || method == wire::kReturnLeasesPath;
  if (mad_.Chance(taken ? 50 : 5)) return SendInStream(context, method, bytes, reply);
  const grpc::ByteBuffer request = wire::ToBuffer(bytes);
  std::promise<grpc::Status> done;
  generic_.UnaryCall(&context, method, {}, &request, &reply,
                     [&done](grpc::Status status) { done.set_value(std::move(status)); });
  return done.get_future().get();
}

// One call in a stream of its own, perhaps with others around it that nobody waits for.
grpc::Status MadClient::SendInStream(grpc::ClientContext& context, const std::string& method,
                                     const Bytes& bytes, grpc::ByteBuffer& reply) {
  const auto calls = calls_->Stream(&context);
  v1::CallRequest call;
  call.mutable_head()->set_number(mad_.Number());
  call.mutable_head()->set_rpc(mad_.Chance(95) ? method : mad_.Text());
  call.set_request(bytes.ToString());
  if (mad_.Chance(3)) call.GetReflection()->MutableUnknownFields(&call)->AddVarint(9, 9);
  const uint64_t times = mad_.Chance(90) ? 1 : mad_.Below(300);
  for (uint64_t i = 0; i < times && calls->Write(call); ++i) continue;
  if (mad_.Chance(30)) calls->WritesDone();
  v1::CallReply answer;
  if (mad_.Chance(95) && calls->Read(&answer)) {
    reply = wire::ToBuffer(Bytes::Copy(answer.reply()));
    context.TryCancel();
    (void)calls->Finish();
    return {static_cast<StatusCode>(answer.head().status()), answer.head().message()};
  }
  context.TryCancel();
  return calls->Finish();
}

void MadClient::FillHeader(v1::RequestHeader& header) {
  *header.mutable_session() = hello_.session();
  header.set_epoch(hello_.epoch());
  const auto slot = static_cast<uint32_t>(mad_.Below(kSlots));
  header.set_slot(slot);
  header.set_sequence(++sequences_[slot]);
  v1::Caller& caller = *header.mutable_caller();
  caller.set_uid(mad_.Chance(80) ? 1 + static_cast<uint32_t>(mad_.Below(3)) : UINT32_MAX);
  caller.set_gid(caller.uid());
  caller.set_has_groups(mad_.Chance(80));
  if (mad_.Chance(2)) {
    const uint64_t groups = mad_.Chance(10) ? 70'000 : mad_.Below(3000);
    for (uint64_t i = 0; i < groups; ++i) caller.add_groups(static_cast<uint32_t>(i) + 5000);
  }
  const uint64_t ended = mad_.Chance(2) ? 1 + mad_.Below(100) : 0;
  for (uint64_t i = 0; i < ended; ++i) {
    v1::EndedOpen& open = *header.add_ended();
    open.set_open(mad_.Number());
    open.mutable_inode()->set_ino(mad_.Number());
    open.mutable_inode()->set_tag(mad_.Number());
  }
  const uint64_t formers = mad_.Chance(5) ? 1 + mad_.Below(10) : 0;
  for (uint64_t i = 0; i < formers; ++i) {
    v1::FormerRequest& former = *header.add_former();
    if (!former_.empty()) *former.mutable_session() = former_[mad_.Below(former_.size())];
    former.set_slot(static_cast<uint32_t>(mad_.Below(kSlots)));
    former.set_sequence(mad_.Number());
  }
  if (mad_.Chance(90)) return;
  switch (mad_.Below(5)) {
    case 0: header.set_slot(static_cast<uint32_t>(mad_.Number())); break;
    case 1: header.set_sequence(mad_.Number()); break;
    case 2: header.set_epoch(static_cast<uint32_t>(mad_.Number())); break;
    case 3: header.mutable_session()->set_low(mad_.Number()); break;
    default:
      if (!former_.empty()) *header.mutable_session() = former_[mad_.Below(former_.size())];
  }
}

// The head and contents of the length that it says, or not.
Bytes MadClient::Frame(const google::protobuf::MessageLite& head) {
  const uint64_t size = mad_.Chance(5) ? kTransferMaxBytes + mad_.Below(3) - 1 : mad_.Below(40'000);
  std::string frame = wire::Encode(head, Bytes::Copy(std::string(size, 'm'))).ToString();
  if (mad_.Chance(5)) frame.resize(mad_.Below(frame.size() + 1));
  if (mad_.Chance(3)) frame += "more";
  return Bytes::FromString(std::move(frame));
}

template <class V>
void MadClient::Call() {
  typename wire::WireOf<V>::Request message;
  mad_.Fill(message);
  FillHeader(*message.mutable_header());
  Bytes bytes;
  if constexpr (wire::WireOf<V>::kRequestData) {
    bytes = Frame(message);
  } else {
    bytes = wire::Encode(message);
  }
  grpc::ByteBuffer raw;
  const grpc::Status status = Send(wire::WireOf<V>::kMethod, bytes, raw);
  typename wire::WireOf<V>::Reply reply;
  if (status.ok()) {
    Bytes data;
    if constexpr (wire::WireOf<V>::kReplyData) {
      EXPECT_OK(wire::Decode(raw, reply, data));
    } else {
      EXPECT_OK(wire::Decode(raw, reply));
    }
    EXPECT_TRUE(IsValidErrno(reply.header().error()) || reply.header().error() == 0);
    mad_.Learn(reply);
    constexpr bool kOpens = std::is_same_v<V, verbs::Open> || std::is_same_v<V, verbs::Create> ||
                            std::is_same_v<V, verbs::CreateTmp>;
    if (kOpens && reply.header().error() == 0) mad_.LearnOpen(message, reply);
  } else {
    for (uint64_t& sequence : sequences_) {
      if (sequence == message.header().sequence()) --sequence;  // perhaps it was not used
    }
  }
  tally_.Count(wire::WireOf<V>::kMethod, status, reply.header().error());
  if (status.error_code() == StatusCode::UNAUTHENTICATED ||
      status.error_code() == StatusCode::FAILED_PRECONDITION) {
    if (mad_.Chance(30)) Hello(/*sane=*/true);
  }
}

template <class Request, class Reply>
grpc::Status MadClient::Session(const char* rpc, Request request, Reply& reply) {
  const std::string method = std::string("/tarn.v1.Session/") + rpc;
  grpc::ByteBuffer raw;
  const grpc::Status status = Send(method, wire::Encode(request), raw);
  int32_t error = 0;
  if (status.ok()) {
    EXPECT_OK(wire::Decode(raw, reply));
  }
  if constexpr (requires { reply.error(); }) error = reply.error();
  tally_.Count(method, status, error);
  return status;
}

void MadClient::Hello(bool sane) {
  v1::HelloRequest request;
  if (!sane) mad_.Fill(request);
  request.set_version(sane || mad_.Chance(80) ? kProtocolVersion : 7);
  request.set_file_system("default");
  request.set_features(v1::FEATURE_LEASES);
  if (sane || mad_.Chance(80)) {
    request.clear_directory();
    request.set_nonce("mad-" + std::to_string(100'000'000'000 + mad_.Below(800'000'000'000)));
  }
  if (mad_.Chance(20) && !former_.empty()) {
    *request.mutable_previous() = former_[mad_.Below(former_.size())];
  } else if (!mad_.Chance(20)) {
    request.clear_previous();
  }
  v1::HelloReply reply;
  if (!Session("Hello", request, reply).ok() || reply.error() != 0) return;
  if (former_.size() < 100) former_.push_back(reply.session());
  hello_ = reply;
  mad_.ForgetOpens();
  for (uint64_t& sequence : sequences_) sequence = 0;
  mad_.Learn(reply.root());
}

void MadClient::Goodbye() {
  v1::GoodbyeRequest request;
  *request.mutable_session() = hello_.session();
  request.set_epoch(hello_.epoch());
  v1::GoodbyeReply reply;
  (void)Session("Goodbye", request, reply);
  for (const auto& stream : streams_) stream->context.TryCancel();
}

template <class Request>
void MadClient::MadSession(const char* rpc) {
  Request request;
  mad_.Fill(request);
  if (mad_.Chance(80)) {
    *request.mutable_session() = hello_.session();
    request.set_epoch(hello_.epoch());
  }
  grpc::ByteBuffer raw;
  const std::string method = std::string("/tarn.v1.Session/") + rpc;
  tally_.Count(method, Send(method, wire::Encode(request), raw), 0);
}

void MadClient::Listen() {
  if (streams_.size() >= 8) {
    streams_.front()->context.TryCancel();
    streams_.erase(streams_.begin());
  }
  v1::EventsRequest request;
  mad_.Fill(request);
  if (mad_.Chance(80)) *request.mutable_session() = hello_.session();
  request.set_epoch(hello_.epoch());
  auto stream = std::make_unique<Stream>();
  stream->reader = v1::Session::NewStub(channel_)->Events(&stream->context, request);
  streams_.push_back(std::move(stream));
}

void MadClient::Step() {
  using Call = void (MadClient::*)();
  static constexpr Call kCalls[] = {
#define TARN_DECLARE_VERB(verb, args, reply, mutates) &MadClient::Call<verbs::verb>,
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
  };
  if (mad_.Chance(95)) return (this->*kCalls[mad_.Below(std::size(kCalls))])();
  switch (mad_.Below(12)) {
    case 0: return Hello(/*sane=*/false);
    case 1: return Goodbye();
    case 2: return Listen();
    case 3: return MadSession<v1::HeartbeatRequest>("Heartbeat");
    case 4: return MadSession<v1::CancelRequest>("Cancel");
    case 5: case 6: return MadSession<v1::ReclaimRequest>("Reclaim");
    case 7: case 8: return MadSession<v1::ReturnLeasesRequest>("ReturnLeases");
    case 9: {
      grpc::ByteBuffer raw;
      tally_.Count("/tarn.v1.Admin/DescribeFileSystems",
                   Send("/tarn.v1.Admin/DescribeFileSystems", Bytes::Copy("\x0a\x01x"), raw), 0);
      return;
    }
    default: {
      grpc::ByteBuffer raw;
      (void)Send("/tarn.v1.Filesystem/NoSuchVerb", Bytes::Copy(mad_.Text()), raw);
    }
  }
}

}  // namespace tarn::transport
