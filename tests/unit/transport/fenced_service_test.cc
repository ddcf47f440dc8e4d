// What a server does with the calls of a session that it has fenced, and with those that ask what
// became of them.
#include <future>

#include "common/fault.h"
#include "tests/unit/transport/service_fixture.h"

namespace tarn::transport {
namespace {

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

TEST_F(FencedClientTest, HelloTellsTheLifetime) {
  Hello();
  EXPECT_EQ(hello_.lifetime_ns(), static_cast<uint64_t>(kSecondNanos / 3));
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

// The error may come of the end alone: what is asked in the next session's name may well succeed.
TEST_F(FencedClientTest, ErrorOfASessionThatHasEndedIsNoAnswer) {
  Hello();
  ASSERT_EQ(SendMakeDir(MakeDir("a", 1, 1)), 0);
  ops::LocalFs& fs = server_.fs();
  ASSERT_OK_AND_ASSIGN(const EntryReply a, Lookup(fs, fs.MakeHandle(kRootIno, 0), "a"));
  // Another change keeps the inode to itself until the session is over.
  ASSERT_OK(ArmFaults("commit.before=delay:1s@1"));
  auto slow = std::async(std::launch::async, [&] {
    return Wait<verbs::SetAttr>(fs, root_, {.inode = a.handle, .mode = 0711});
  });
  std::vector<std::future<Result<AttrReply>>> looks;  // that it holds up
  ASSERT_TRUE(testing::Eventually([&] {
    looks.push_back(std::async(std::launch::async, [&] {
      return Wait<verbs::GetAttr>(fs, root_, {.inode = a.handle});
    }));
    return looks.back().wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout;
  }));
  auto change = InSlot<v1::SetAttrRequest>(2, 1);
  wire::Fill(a.handle, *change.mutable_inode());
  change.set_mode(0700);
  RawCall* const waiting = StartRaw("/tarn.v1.Filesystem/SetAttr", change.SerializeAsString());
  Fence();
  EXPECT_FALSE(waiting->status.get_future().get().ok());
  EXPECT_OK(slow.get());
  EXPECT_OK(ArmFaults(""));
  EXPECT_EQ(Lookup(fs, fs.MakeHandle(kRootIno, 0), "a")->attr.mode, 0711u);
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

}  // namespace
}  // namespace tarn::transport
