// The services as any client may use them, well or badly: slots, sessions, malformed messages.
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include "common/limits.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "proto/admin.grpc.pb.h"
#include "proto/session.grpc.pb.h"
#include "tests/unit/transport/remote_fixture.h"

namespace tarn::transport {
namespace {

using grpc::StatusCode;

// One unary call with raw bytes.
struct RawCall {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer reply;
  std::promise<grpc::Status> status;
};

class ServiceTest : public RemoteFixture {
 protected:
  explicit ServiceTest(const Timing& timing = {}) : RemoteFixture(timing) { Dial(); }
  void Dial() {
    channel_ = grpc::CreateChannel(server_.address(), grpc::InsecureChannelCredentials());
    generic_ = std::make_unique<grpc::GenericStub>(channel_);
    sessions_ = v1::Session::NewStub(channel_);
  }

  v1::HelloRequest HelloRequest() const {
    v1::HelloRequest request;
    request.set_version(kProtocolVersion);
    request.set_file_system("default");
    request.set_nonce(std::string(16, static_cast<char>('a')));
    return request;
  }
  grpc::Status Hello(const v1::HelloRequest& request, v1::HelloReply& reply) {
    grpc::ClientContext context;
    return sessions_->Hello(&context, request, &reply);
  }
  void Hello() { ASSERT_TRUE(Hello(HelloRequest(), hello_).ok()); }

  // The call lives as long as the fixture: its context holds the channel, which must not end on a
  // thread of gRPC's.
  RawCall* StartRaw(const std::string& method, const std::string& bytes) {
    RawCall* const call = calls_.emplace_back(std::make_unique<RawCall>()).get();
    call->request = wire::ToBuffer(Bytes::Copy(bytes));
    generic_->UnaryCall(&call->context, method, {}, &call->request, &call->reply,
                       [call](grpc::Status status) { call->status.set_value(status); });
    return call;
  }
  StatusCode Raw(const std::string& method, const std::string& bytes) {
    return StartRaw(method, bytes)->status.get_future().get().error_code();
  }

  // A request under the session's slot 0 (or another) and `sequence`.
  template <class Message>
  Message InSlot(uint64_t sequence, uint32_t slot = 0) const {
    Message message;
    v1::RequestHeader& header = *message.mutable_header();
    *header.mutable_session() = hello_.session();
    header.set_epoch(hello_.epoch());
    header.set_slot(slot);
    header.set_sequence(sequence);
    header.mutable_caller()->set_has_groups(true);
    return message;
  }
  v1::MakeDirRequest MakeDir(const std::string& name, uint64_t sequence, uint32_t slot = 0) const {
    auto message = InSlot<v1::MakeDirRequest>(sequence, slot);
    *message.mutable_dir() = hello_.root();
    message.set_name(name);
    message.set_mode(0755);
    return message;
  }
  // Sends a MakeDir: the status, or if that is OK the errno as a negative number.
  int SendMakeDir(const v1::MakeDirRequest& message) {
    RawCall* const call = StartRaw("/tarn.v1.Filesystem/MakeDir", message.SerializeAsString());
    const grpc::Status status = call->status.get_future().get();
    if (!status.ok()) return status.error_code();
    v1::EntryReply reply;
    EXPECT_OK(wire::Decode(call->reply, reply));
    return -reply.header().error();
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::GenericStub> generic_;
  std::unique_ptr<v1::Session::Stub> sessions_;
  std::vector<std::unique_ptr<RawCall>> calls_;
  v1::HelloReply hello_;
};

// Silent clients are given up soon.
class FencedClientTest : public ServiceTest {
 protected:
  FencedClientTest() : ServiceTest({.session_lifetime_nanos = kSecondNanos / 3}) {}
  // Has the client's session lock `file_`, under sequence 1 and 2 of slot 0, and another client
  // wait for the lock.
  void Fence() {
    const auto other = Connect();
    const auto made = Create(*other, "f");
    ASSERT_OK(made);
    file_ = made->entry.handle;
    auto open = InSlot<v1::OpenRequest>(1);
    wire::Fill(file_, *open.mutable_inode());
    open.set_open(5);
    open.set_access(3);
    ASSERT_EQ(Raw("/tarn.v1.Filesystem/Open", open.SerializeAsString()), StatusCode::OK);
    auto lock = InSlot<v1::SetLockRequest>(2);
    wire::Fill(LockOf(file_, OpenId{5}, LockType::kWrite, false), lock);
    ASSERT_EQ(Raw("/tarn.v1.Filesystem/SetLock", lock.SerializeAsString()), StatusCode::OK);
    ASSERT_OK(SetLock(*other, LockOf(file_, last_open(), LockType::kWrite, true)));
  }
  // Hello after a session, with another nonce each time: that one is now `former_`.
  void HelloAfter(const v1::SessionId& previous, bool replace = false) {
    former_ = hello_;
    v1::HelloRequest request = HelloRequest();
    request.set_nonce(std::string(16, ++nonce_));
    *request.mutable_previous() = previous;
    request.set_replace(replace);
    ASSERT_TRUE(Hello(request, hello_).ok());
    ASSERT_FALSE(hello_.resumed());
  }
  static v1::MakeDirRequest Formerly(v1::MakeDirRequest message, const v1::SessionId& session,
                                     uint32_t slot, uint64_t sequence) {
    v1::FormerRequest& former = *message.mutable_header()->add_former();
    *former.mutable_session() = session;
    former.set_slot(slot);
    former.set_sequence(sequence);
    return message;
  }
  char nonce_ = 'a';
  v1::HelloReply former_;
  Handle file_;
};

TEST_F(ServiceTest, DoneMutationIsReplayed) {
  Hello();
  EXPECT_EQ(SendMakeDir(MakeDir("a", 1)), 0);
  EXPECT_EQ(SendMakeDir(MakeDir("a", 1)), 0);
  EXPECT_EQ(SendMakeDir(MakeDir("a", 2)), -static_cast<int>(Errno::kEEXIST));
}

TEST_F(ServiceTest, EndedOpensThatAreUnknownChangeNothingAndTooManyAreRefused) {
  Hello();
  auto message = MakeDir("a", 1);
  for (uint32_t i = 0; i < kEndedOpensPerRequest; ++i) message.mutable_header()->add_ended();
  message.mutable_header()->mutable_ended(0)->set_open(UINT64_MAX);
  *message.mutable_header()->mutable_ended(1)->mutable_inode() = hello_.root();
  EXPECT_EQ(SendMakeDir(message), 0);
  message = MakeDir("b", 2);
  for (uint32_t i = 0; i <= kEndedOpensPerRequest; ++i) message.mutable_header()->add_ended();
  EXPECT_EQ(SendMakeDir(message), -static_cast<int>(Errno::kEINVAL));
  EXPECT_FALSE(Exists("b"));
}

TEST_F(ServiceTest, SequenceOutOfStepIsRefused) {
  Hello();
  EXPECT_EQ(SendMakeDir(MakeDir("a", 1)), 0);
  EXPECT_EQ(SendMakeDir(MakeDir("b", 2)), 0);
  EXPECT_EQ(SendMakeDir(MakeDir("c", 1)), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(SendMakeDir(MakeDir("c", 4)), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(SendMakeDir(MakeDir("c", 0, 1)), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(SendMakeDir(MakeDir("c", 1, hello_.slots())), StatusCode::FAILED_PRECONDITION);
  EXPECT_FALSE(Exists("c"));
}

TEST_F(ServiceTest, RunningCallIsJoined) {
  Hello();
  const auto holder = Connect();
  const auto made = Create(*holder, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const SetLockArgs held = LockOf(file, last_open(), LockType::kWrite, false);
  ASSERT_OK(SetLock(*holder, held));

  auto open = InSlot<v1::OpenRequest>(1);
  wire::Fill(file, *open.mutable_inode());
  open.set_open(5);
  open.set_access(3);
  ASSERT_EQ(Raw("/tarn.v1.Filesystem/Open", open.SerializeAsString()), StatusCode::OK);
  auto lock = InSlot<v1::SetLockRequest>(2);
  wire::Fill(LockOf(file, OpenId{5}, LockType::kWrite, true), lock);
  RawCall* const first = StartRaw("/tarn.v1.Filesystem/SetLock", lock.SerializeAsString());
  RawCall* const second = StartRaw("/tarn.v1.Filesystem/SetLock", lock.SerializeAsString());
  SetLockArgs unlock = held;
  unlock.lock.type = LockType::kUnlock;
  ASSERT_OK(SetLock(*holder, unlock));
  for (RawCall* call : {first, second}) {
    EXPECT_TRUE(call->status.get_future().get().ok());
    v1::EmptyReply reply;
    ASSERT_OK(wire::Decode(call->reply, reply));
    EXPECT_EQ(reply.header().error(), 0);
  }
}

TEST_F(ServiceTest, WaitingLockWhoseConnectionIsLostIsDropped) {
  Hello();
  const auto holder = Connect();
  const auto made = Create(*holder, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId open_held = last_open();
  ASSERT_OK(SetLock(*holder, LockOf(file, open_held, LockType::kWrite, false)));
  auto open = InSlot<v1::OpenRequest>(1);
  wire::Fill(file, *open.mutable_inode());
  open.set_open(5);
  open.set_access(3);
  ASSERT_EQ(Raw("/tarn.v1.Filesystem/Open", open.SerializeAsString()), StatusCode::OK);
  auto lock = InSlot<v1::SetLockRequest>(2);
  wire::Fill(LockOf(file, OpenId{5}, LockType::kWrite, true), lock);
  RawCall* const call = StartRaw("/tarn.v1.Filesystem/SetLock", lock.SerializeAsString());
  call->context.TryCancel();
  EXPECT_EQ(call->status.get_future().get().error_code(), StatusCode::CANCELLED);
  // Unlocked and free, at the latest when the server has heard: nobody else was given it.
  ASSERT_OK(SetLock(*holder, LockOf(file, open_held, LockType::kUnlock, false)));
  EXPECT_TRUE(testing::Eventually([&] {
    return SetLock(*holder, LockOf(file, open_held, LockType::kWrite, false)).ok();
  }));
}

TEST_F(ServiceTest, CancelThatComesFirstIsRemembered) {
  Hello();
  const auto holder = Connect();
  const auto made = Create(*holder, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  ASSERT_OK(SetLock(*holder, LockOf(file, last_open(), LockType::kWrite, false)));
  auto open = InSlot<v1::OpenRequest>(1);
  wire::Fill(file, *open.mutable_inode());
  open.set_open(5);
  open.set_access(3);
  ASSERT_EQ(Raw("/tarn.v1.Filesystem/Open", open.SerializeAsString()), StatusCode::OK);
  v1::CancelRequest cancel;
  *cancel.mutable_session() = hello_.session();
  cancel.set_epoch(hello_.epoch());
  cancel.set_sequence(2);
  v1::CancelReply cancelled;
  grpc::ClientContext context;
  ASSERT_TRUE(sessions_->Cancel(&context, cancel, &cancelled).ok());
  auto lock = InSlot<v1::SetLockRequest>(2);
  wire::Fill(LockOf(file, OpenId{5}, LockType::kWrite, true), lock);
  RawCall* const call = StartRaw("/tarn.v1.Filesystem/SetLock", lock.SerializeAsString());
  ASSERT_TRUE(call->status.get_future().get().ok());
  v1::EmptyReply reply;
  ASSERT_OK(wire::Decode(call->reply, reply));
  EXPECT_EQ(reply.header().error(), static_cast<int>(Errno::kEINTR));
}

TEST_F(ServiceTest, RubbishIsRefusedByEveryVerb) {
  Hello();
  for (const std::string_view verb : kVerbNames) {
    const std::string method = "/tarn.v1.Filesystem/" + std::string(verb);
    EXPECT_EQ(Raw(method, "\xff\xff\xff rubbish"), StatusCode::INVALID_ARGUMENT) << verb;
    EXPECT_EQ(Raw(method, ""), StatusCode::UNAUTHENTICATED) << verb;
  }
}

TEST_F(ServiceTest, MadValueIsAnAnswerAndUsesUpTheSequence) {
  Hello();
  v1::MakeDirRequest mad = MakeDir("a", 1);
  mad.set_mode(~0u);
  EXPECT_EQ(SendMakeDir(mad), -static_cast<int>(Errno::kEINVAL));
  EXPECT_EQ(SendMakeDir(MakeDir("a", 2)), 0);
}

TEST_F(ServiceTest, MessageBeyondTheBoundIsRefused) {
  Hello();
  const Bytes frame =
      wire::Encode(InSlot<v1::WriteHead>(1), Bytes::Copy(std::string(kMessageMaxBytes, 'x')));
  EXPECT_EQ(Raw("/tarn.v1.Filesystem/Write", frame.ToString()), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServiceTest, StrangersAndWrongEpochsAreUnauthenticated) {
  Hello();
  v1::MakeDirRequest stranger = MakeDir("a", 1);
  stranger.mutable_header()->mutable_session()->set_low(~hello_.session().low());
  EXPECT_EQ(SendMakeDir(stranger), StatusCode::UNAUTHENTICATED);
  v1::MakeDirRequest fenced = MakeDir("a", 1);
  fenced.mutable_header()->set_epoch(hello_.epoch() + 1);
  EXPECT_EQ(SendMakeDir(fenced), StatusCode::UNAUTHENTICATED);
}

TEST_F(ServiceTest, ForgedTagOpensNothing) {
  Hello();
  v1::MakeDirRequest forged = MakeDir("a", 1);
  forged.mutable_dir()->set_tag(hello_.root().tag() + 1);
  EXPECT_EQ(SendMakeDir(forged), -static_cast<int>(Errno::kESTALE));
}

TEST_F(FencedClientTest, HelloTellsTheLifetime) {
  Hello();
  EXPECT_EQ(hello_.lifetime_ns(), static_cast<uint64_t>(kSecondNanos / 3));
}

TEST_F(ServiceTest, HelloAgainWithTheSameNonceIsTheSameSession) {
  Hello();
  v1::HelloReply again;
  ASSERT_TRUE(Hello(HelloRequest(), again).ok());
  EXPECT_EQ(again.session().SerializeAsString(), hello_.session().SerializeAsString());
}

TEST_F(ServiceTest, ReclaimOfTooMuchAtOnceIsRefused) {
  Hello();
  v1::ReclaimRequest request;
  *request.mutable_session() = hello_.session();
  request.set_epoch(hello_.epoch());
  const auto reclaim = [&] {
    v1::ReclaimReply reply;
    grpc::ClientContext context;
    return sessions_->Reclaim(&context, request, &reply).error_code();
  };
  for (uint32_t i = 0; i < kReclaimBatch; ++i) request.add_opens()->set_open(i);
  EXPECT_EQ(reclaim(), StatusCode::OK);
  request.add_opens()->set_open(kReclaimBatch);
  EXPECT_EQ(reclaim(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(FencedClientTest, DelayedWriteIsRefusedAlsoAfterARestart) {
  Hello();
  ASSERT_NO_FATAL_FAILURE(Fence());
  v1::WriteHead head = InSlot<v1::WriteHead>(3);
  wire::Fill(file_, *head.mutable_inode());
  head.set_open(5);
  const std::string write = wire::Encode(head, Bytes::Copy("late")).ToString();
  EXPECT_EQ(Raw("/tarn.v1.Filesystem/Write", write), StatusCode::UNAUTHENTICATED);
  server_.Stop();
  server_.Start();
  Dial();
  EXPECT_EQ(Raw("/tarn.v1.Filesystem/Write", write), StatusCode::UNAUTHENTICATED);
  v1::HelloRequest again = HelloRequest();
  *again.mutable_previous() = hello_.session();
  v1::HelloReply reply;
  ASSERT_TRUE(Hello(again, reply).ok());
  EXPECT_FALSE(reply.resumed());
  EXPECT_EQ(Raw("/tarn.v1.Filesystem/Write", write), StatusCode::UNAUTHENTICATED);
  const auto other = Connect();
  ASSERT_OK_AND_ASSIGN(const EntryReply found, Lookup(*other, other->root().handle, "f"));
  EXPECT_EQ(found.attr.size, 0u);
}

TEST_F(FencedClientTest, MutationIsAnsweredToTheSessionThatFollows) {
  Hello();
  EXPECT_FALSE(hello_.replies_kept());
  ASSERT_EQ(SendMakeDir(MakeDir("a", 1, 7)), 0);
  Fence();
  HelloAfter(hello_.session());
  EXPECT_TRUE(hello_.replies_kept());
  const auto again = Formerly(MakeDir("a", 1), former_.session(), 7, 1);
  EXPECT_EQ(SendMakeDir(again), 0);
  EXPECT_EQ(SendMakeDir(again), 0) << "as its own";
  EXPECT_EQ(SendMakeDir(Formerly(MakeDir("b", 2), former_.session(), 7, 2)), 0);
  EXPECT_TRUE(Exists("b")) << "it had not been done";
}

TEST_F(FencedClientTest, StrangerLearnsNothingOfAFencedSession) {
  Hello();
  ASSERT_EQ(SendMakeDir(MakeDir("a", 1, 7)), 0);
  Fence();
  v1::SessionId forged = hello_.session();
  forged.set_low(~forged.low());
  HelloAfter(forged);
  EXPECT_FALSE(hello_.replies_kept());
  const auto exists = -static_cast<int>(Errno::kEEXIST);
  EXPECT_EQ(SendMakeDir(Formerly(MakeDir("a", 1), forged, 7, 1)), exists);
  EXPECT_EQ(SendMakeDir(Formerly(MakeDir("a", 2), former_.session(), 7, 1)), exists);
  EXPECT_EQ(SendMakeDir(Formerly(MakeDir("new", 3), forged, 7, 2)), 0);
  auto many = MakeDir("many", 4);
  for (uint32_t i = 0; i <= kFormerRequestsMax; ++i) many = Formerly(many, forged, 7, 1);
  EXPECT_EQ(SendMakeDir(many), -static_cast<int>(Errno::kEINVAL));
  EXPECT_FALSE(Exists("many"));
}

TEST_F(FencedClientTest, SessionOfOtherRightsDoesNotFollow) {
  Hello();
  Fence();
  v1::HelloRequest request = HelloRequest();
  request.set_nonce(std::string(16, 'b'));
  *request.mutable_previous() = hello_.session();
  request.set_read_only(true);
  ASSERT_TRUE(Hello(request, hello_).ok());
  EXPECT_FALSE(hello_.replies_kept());
}

TEST_F(FencedClientTest, ReplacedSessionLeavesNothing) {
  Hello();
  ASSERT_EQ(SendMakeDir(MakeDir("a", 1, 7)), 0);
  Fence();
  const v1::SessionId fenced = hello_.session();
  ASSERT_TRUE(server_.fs().store().FindSession(wire::SessionIdOf(fenced))->has_value());
  HelloAfter(fenced, /*replace=*/true);
  EXPECT_FALSE(hello_.replies_kept());
  EXPECT_FALSE(server_.fs().store().FindSession(wire::SessionIdOf(fenced))->has_value());
}

TEST_F(ServiceTest, OtherVersionIsRefusedWithASentence) {
  v1::HelloRequest request = HelloRequest();
  request.set_version(kProtocolVersion + 1);
  const grpc::Status status = Hello(request, hello_);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(status.error_message().find("version"), std::string::npos);
}

TEST_F(ServiceTest, SessionResumesAndAfterARestartMustReclaim) {
  Hello();
  v1::HelloRequest request = HelloRequest();
  request.set_nonce(std::string(16, 'b'));
  *request.mutable_previous() = hello_.session();
  v1::HelloReply resumed;
  ASSERT_TRUE(Hello(request, resumed).ok());
  EXPECT_TRUE(resumed.resumed());
  EXPECT_FALSE(resumed.reclaim());

  server_.Stop();
  server_.Start();
  Dial();
  EXPECT_EQ(SendMakeDir(MakeDir("a", 1)), StatusCode::UNAUTHENTICATED);
  ASSERT_TRUE(Hello(request, resumed).ok());
  EXPECT_TRUE(resumed.resumed());
  EXPECT_TRUE(resumed.reclaim());
  EXPECT_EQ(SendMakeDir(MakeDir("a", 1)), StatusCode::UNAUTHENTICATED);
  v1::ReclaimRequest reclaim;
  *reclaim.mutable_session() = hello_.session();
  reclaim.set_epoch(hello_.epoch());
  reclaim.set_done(true);
  v1::ReclaimReply reclaimed;
  grpc::ClientContext context;
  ASSERT_TRUE(sessions_->Reclaim(&context, reclaim, &reclaimed).ok());
  EXPECT_EQ(SendMakeDir(MakeDir("a", 1)), 0);
}

TEST_F(ServiceTest, GoodbyeEndsTheSession) {
  Hello();
  v1::GoodbyeRequest request;
  *request.mutable_session() = hello_.session();
  request.set_epoch(hello_.epoch());
  for (int i = 0; i < 2; ++i) {
    v1::GoodbyeReply reply;
    grpc::ClientContext context;
    EXPECT_TRUE(sessions_->Goodbye(&context, request, &reply).ok());
  }
  EXPECT_EQ(SendMakeDir(MakeDir("a", 1)), StatusCode::UNAUTHENTICATED);
  ASSERT_OK_AND_ASSIGN(const auto left, server_.fs().store().LoadSessions());
  EXPECT_TRUE(left.empty());
}

TEST_F(ServiceTest, AdminListsFileSystems) {
  Hello();
  const auto admin = v1::Admin::NewStub(channel_);
  v1::DescribeFileSystemsReply reply;
  grpc::ClientContext context;
  ASSERT_TRUE(admin->DescribeFileSystems(&context, {}, &reply).ok());
  ASSERT_EQ(reply.file_systems_size(), 1);
  EXPECT_EQ(reply.file_systems(0).name(), "default");
  EXPECT_EQ(reply.file_systems(0).sessions(), 1u);
  EXPECT_EQ(reply.file_systems(0).inodes_used(), 1u);
}

TEST_F(ServiceTest, HealthIsServing) {
  // grpc.health.v1.HealthCheckResponse { status: SERVING }
  RawCall* const call = StartRaw("/grpc.health.v1.Health/Check", "");
  ASSERT_TRUE(call->status.get_future().get().ok());
  ASSERT_OK_AND_ASSIGN(const Bytes reply, wire::FromBuffer(call->reply));
  EXPECT_EQ(reply.ToString(), std::string("\x08\x01", 2));
}

}  // namespace
}  // namespace tarn::transport
