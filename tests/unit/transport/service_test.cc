// The services as any client may use them, well or badly: slots, sessions, malformed messages.
#include "proto/admin.grpc.pb.h"
#include "tests/unit/transport/service_fixture.h"

namespace tarn::transport {
namespace {

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

// Whoever is given the lock before the server has heard has it until its session is fenced: soon.
class ShortLivedServiceTest : public ServiceTest {
 protected:
  ShortLivedServiceTest()
      : ServiceTest({.session_lifetime_nanos = kSessionLifetimeSecondsMin * kSecondNanos}) {}
};

TEST_F(ShortLivedServiceTest, WaitingLockWhoseConnectionIsLostIsDropped) {
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
