// Streams of calls (proto/calls.proto) as any client may use them, well or badly.
#include <chrono>
#include <set>
#include <thread>

#include "common/wire/lease.h"
#include "proto/calls.grpc.pb.h"
#include "tests/unit/transport/service_fixture.h"

namespace tarn::transport {
namespace {

constexpr const char* kMakeDirPath = "/tarn.v1.Filesystem/MakeDir";

class CallStreamServiceTest : public ServiceTest {
 protected:
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::CallRequest, v1::CallReply>> calls;
  };

  CallStreamServiceTest() { Hello(); }
  ~CallStreamServiceTest() override {
    for (const auto& stream : streams_) {
      stream->context.TryCancel();
      (void)stream->calls->Finish();
    }
  }

  Stream& Open() {
    Stream& stream = *streams_.emplace_back(std::make_unique<Stream>());
    stream.calls = stub_->Stream(&stream.context);
    return stream;
  }
  static v1::CallRequest Call(uint64_t number, const std::string& rpc, const std::string& request) {
    v1::CallRequest call;
    call.mutable_head()->set_number(number);
    call.mutable_head()->set_rpc(rpc);
    call.set_request(request);
    return call;
  }
  v1::CallRequest CallMakeDir(uint64_t number, const std::string& name, uint64_t sequence,
                              uint32_t slot = 0) {
    return Call(number, kMakeDirPath, MakeDir(name, sequence, slot).SerializeAsString());
  }
  // The status of a call that is made alone.
  static StatusCode Ask(Stream& stream, const std::string& rpc, const std::string& request) {
    v1::CallReply reply;
    EXPECT_TRUE(stream.calls->Write(Call(1, rpc, request)));
    EXPECT_TRUE(stream.calls->Read(&reply));
    return static_cast<StatusCode>(reply.head().status());
  }

  std::unique_ptr<v1::Calls::Stub> stub_ = v1::Calls::NewStub(channel_);
  std::vector<std::unique_ptr<Stream>> streams_;
};

TEST_F(CallStreamServiceTest, EachCallIsAnsweredUnderItsNumber) {
  Stream& stream = Open();
  ASSERT_TRUE(stream.calls->Write(CallMakeDir(7, "a", 1)));
  ASSERT_TRUE(stream.calls->Write(CallMakeDir(UINT64_MAX, "a", 1, 1)));
  std::map<uint64_t, int32_t> errors;
  for (int i = 0; i < 2; ++i) {
    v1::CallReply reply;
    ASSERT_TRUE(stream.calls->Read(&reply));
    v1::EntryReply made;
    ASSERT_TRUE(made.ParseFromString(reply.reply()));
    EXPECT_EQ(reply.head().status(), 0u);
    errors[reply.head().number()] = made.header().error();
  }
  const auto exists = static_cast<int32_t>(Errno::kEEXIST);
  EXPECT_EQ(errors, (std::map<uint64_t, int32_t>{{7, 0}, {UINT64_MAX, exists}}));
}

TEST_F(CallStreamServiceTest, SlotsHoldOverStreamsAndRpcsOfTheirOwn) {
  EXPECT_EQ(Ask(Open(), kMakeDirPath, MakeDir("a", 1).SerializeAsString()), StatusCode::OK);
  EXPECT_EQ(SendMakeDir(MakeDir("a", 1)), 0);
  EXPECT_EQ(Ask(Open(), kMakeDirPath, MakeDir("b", 7).SerializeAsString()),
            StatusCode::FAILED_PRECONDITION);
}

TEST_F(CallStreamServiceTest, WhatIsNotTakenIsRefusedAndTheNextIsTaken) {
  Stream& stream = Open();
  EXPECT_EQ(Ask(stream, "/tarn.v1.Session/Hello", ""), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(Ask(stream, "", ""), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(Ask(stream, wire::kReturnLeasesPath, ""), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Ask(stream, wire::kReturnLeasesPath, "\xff rubbish"), StatusCode::INVALID_ARGUMENT);
  for (const std::string_view verb : kVerbNames) {
    const std::string path = "/tarn.v1.Filesystem/" + std::string(verb);
    EXPECT_EQ(Ask(stream, path, "\xff\xff\xff rubbish"), StatusCode::INVALID_ARGUMENT) << verb;
    EXPECT_EQ(Ask(stream, path, ""), StatusCode::UNAUTHENTICATED) << verb;
  }
  EXPECT_EQ(Ask(stream, kMakeDirPath, MakeDir("a", 1).SerializeAsString()), StatusCode::OK);
}

TEST_F(CallStreamServiceTest, LockThatWaitsIsRefusedAndUsesNoSequence) {
  Stream& stream = Open();
  auto lock = InSlot<v1::SetLockRequest>(1);
  lock.set_wait(true);
  EXPECT_EQ(Ask(stream, "/tarn.v1.Filesystem/SetLock", lock.SerializeAsString()),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Ask(stream, kMakeDirPath, MakeDir("a", 1).SerializeAsString()), StatusCode::OK);
}

TEST_F(CallStreamServiceTest, ClosedByTheClientItEndsOnceAllIsAnswered) {
  Stream& stream = Open();
  constexpr uint64_t kCalls = 100;
  for (uint64_t i = 1; i <= kCalls; ++i) {
    ASSERT_TRUE(stream.calls->Write(CallMakeDir(i, std::to_string(i), i)));
  }
  ASSERT_TRUE(stream.calls->WritesDone());
  std::set<uint64_t> answered;
  for (v1::CallReply reply; stream.calls->Read(&reply);) answered.insert(reply.head().number());
  EXPECT_EQ(answered.size(), kCalls);
  EXPECT_TRUE(stream.calls->Finish().ok());
  streams_.clear();
}

TEST_F(CallStreamServiceTest, WhatIsNoCallEndsTheStreamAfterTheAnswersToOthers) {
  Stream& stream = Open();
  v1::CallRequest bad = CallMakeDir(2, "b", 2);
  bad.GetReflection()->MutableUnknownFields(&bad)->AddVarint(9, 9);
  ASSERT_TRUE(stream.calls->Write(CallMakeDir(1, "a", 1)));
  ASSERT_TRUE(stream.calls->Write(bad));
  v1::CallReply reply;
  EXPECT_TRUE(stream.calls->Read(&reply));
  EXPECT_EQ(reply.head().number(), 1u);
  EXPECT_FALSE(stream.calls->Read(&reply));
  EXPECT_EQ(stream.calls->Finish().error_code(), StatusCode::INVALID_ARGUMENT);
  streams_.clear();
  EXPECT_FALSE(Exists("b"));
}

// What is taken of it is what there is room for answers to, here and on the way, and no more.
TEST_F(CallStreamServiceTest, WhoeverDoesNotReadIsNotReadFrom) {
  grpc::ChannelArguments narrow;
  narrow.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  narrow.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65'535);
  channel_ = grpc::CreateCustomChannel(server_.address(), grpc::InsecureChannelCredentials(),
                                       narrow);
  stub_ = v1::Calls::NewStub(channel_);
  Stream& stream = Open();
  constexpr uint64_t kCalls = 20'000;
  std::thread writer([&] {
    for (uint64_t i = 1; i <= kCalls; ++i) {
      if (!stream.calls->Write(CallMakeDir(i, std::to_string(i), i))) return;
    }
  });
  const auto made = [this] { return server_.fs().store().usage().inodes; };
  // It stands still.
  uint64_t before = 0;
  int polls = 0;
  EXPECT_TRUE(testing::Eventually([&] {
    const uint64_t now = made();
    polls = std::exchange(before, now) == now && now > kCallsPerStream ? polls + 1 : 0;
    return polls > 20;
  }));
  EXPECT_LT(before, kCalls / 4);
  uint64_t answered = 0;
  for (v1::CallReply reply; answered < kCalls && stream.calls->Read(&reply);) ++answered;
  writer.join();
  EXPECT_EQ(answered, kCalls);
  EXPECT_EQ(made(), kCalls + 1);
}

TEST_F(CallStreamServiceTest, StoppingServerEndsIdleStreamsAtOnce) {
  Stream& stream = Open();
  EXPECT_EQ(Ask(stream, kMakeDirPath, MakeDir("a", 1).SerializeAsString()), StatusCode::OK);
  const auto begin = std::chrono::steady_clock::now();
  server_.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(900));
  v1::CallReply reply;
  EXPECT_FALSE(stream.calls->Read(&reply));
  EXPECT_EQ(stream.calls->Finish().error_code(), StatusCode::UNAVAILABLE);
  streams_.clear();
  server_.Start();
}

}  // namespace
}  // namespace tarn::transport
