// RemoteFs whose session is fenced while calls of it are under way: what was done is answered, what
// was not is done, once; EIO meets only what works through something that was lost.
#include <algorithm>

#include "common/fault.h"
#include "common/limits.h"
#include "tests/unit/transport/remote_fixture.h"

namespace tarn::transport {
namespace {

using testing::Eventually;

// A client behind a relay, that has a lock by which it is in somebody's way.
class FencedTest : public RemoteFixture {
 protected:
  FencedTest() : RemoteFixture({.session_lifetime_nanos = kSecondNanos / 3}) {}
  ~FencedTest() override { EXPECT_OK(ArmFaults("")); }

  void SetUp() override {
    relay_ = std::make_unique<testing::Relay>(server_.address());
    fs_ = Connect(relay_->address());
    const auto made = Create(*fs_, "locked");
    ASSERT_OK(made);
    locked_ = made->entry.handle;
    lock_open_ = last_open();
    ASSERT_OK(SetLock(*fs_, LockOf(locked_, lock_open_, LockType::kWrite, false)));
  }
  // The client cannot speak, and another one takes its lock.
  void FenceSilent() {
    relay_->Stall(true, true);
    Caller other = root_;
    other.session = {7, 7};
    constexpr OpenId kOpen{1};
    ASSERT_OK(Wait<verbs::Open>(
        server_.fs(), other,
        {.inode = locked_, .open = kOpen, .access = OpenAccess::kReadWrite}));
    ASSERT_OK(Wait<verbs::SetLock>(server_.fs(), other,
                                   LockOf(locked_, kOpen, LockType::kWrite, true)));
    ASSERT_EQ(CountFenced(), 1u);
  }
  // The server restarts, and the client does not come back in time.
  void FenceByRestart() {
    const size_t before = CountFenced();
    relay_->Stall(true, true);
    server_.Stop();
    server_.Start();
    ASSERT_TRUE(Eventually([&] { return CountFenced() == before + 1; }));
  }
  void Heal() {
    relay_->Stall(false, false);
    relay_->Cut();
  }
  size_t CountFenced() {
    const auto sessions = server_.fs().store().LoadSessions();
    EXPECT_OK(sessions);
    return static_cast<size_t>(std::count_if(
        sessions->begin(), sessions->end(), [](const auto& session) { return session.fenced; }));
  }
  Answer<verbs::MakeDir> StartMakeDir(const std::string& name) {
    return Start<verbs::MakeDir>(*fs_, root_,
                                 {.dir = fs_->root().handle, .name = name, .mode = 0755});
  }

  std::unique_ptr<testing::Relay> relay_;
  std::unique_ptr<RemoteFs> fs_;
  Handle locked_;
  OpenId lock_open_{};
};

TEST_F(FencedTest, MutationThatWasDoneSucceeds) {
  relay_->LoseReplies();
  auto made = StartMakeDir("dir");
  ASSERT_TRUE(Eventually([&] { return Exists("dir"); }));
  FenceSilent();
  EXPECT_FALSE(IsReady(made));
  Heal();
  // Run again it would fail with EEXIST.
  EXPECT_OK(made.get());
}

TEST_F(FencedTest, MutationThatNeverArrivedIsDone) {
  relay_->Stall(true, true);
  auto made = StartMakeDir("dir");
  FenceSilent();
  EXPECT_FALSE(Exists("dir"));
  Heal();
  EXPECT_OK(made.get());
  EXPECT_TRUE(Exists("dir"));
}

TEST_F(FencedTest, MutationThatFailedSaysWhy) {
  relay_->Stall(true, true);
  auto made = StartMakeDir("locked");
  FenceSilent();
  Heal();
  EXPECT_ERROR(kEEXIST, made.get());
}

TEST_F(FencedTest, CreateThatWasDoneIsOpen) {
  relay_->LoseReplies();
  constexpr OpenId kOpen{77};
  auto made = Start<verbs::Create>(*fs_, root_,
                                   {.dir = fs_->root().handle, .name = "file", .mode = 0600,
                                    .open = kOpen, .access = OpenAccess::kReadWrite,
                                    .exclusive = true});
  ASSERT_TRUE(Eventually([&] { return Exists("file"); }));
  FenceSilent();
  Heal();
  const auto reply = made.get();
  ASSERT_OK(reply);
  EXPECT_OK(Write(*fs_, reply->entry.handle, kOpen, "x"));
}

TEST_F(FencedTest, AppendIsThereOnceAndTheReleaseIsTold) {
  const auto plain = Create(*fs_, "plain");
  ASSERT_OK(plain);
  const OpenId open = last_open();
  const Handle file = plain->entry.handle;
  relay_->LoseReplies();
  auto written = Start<verbs::Write>(
      *fs_, root_,
      {.inode = file, .open = open, .append = true, .data = Bytes::Copy("record")});
  const auto size = [&] {
    return Lookup(server_.fs(), server_.fs().MakeHandle(kRootIno, 0), "plain")->attr.size;
  };
  ASSERT_TRUE(Eventually([&] { return size() == 6; }));
  FenceSilent();
  Heal();
  EXPECT_OK(written.get());
  EXPECT_EQ(size(), 6u);
  EXPECT_OK(Wait<verbs::Release>(*fs_, root_, {file, open}));
}

TEST_F(FencedTest, WhatWorksThroughALostLockFailsEIO) {
  relay_->Stall(true, true);
  auto written = Start<verbs::Write>(
      *fs_, root_, {.inode = locked_, .open = lock_open_, .data = Bytes::Copy("x")});
  auto made = StartMakeDir("dir");
  FenceSilent();
  Heal();
  EXPECT_ERROR(kEIO, written.get());
  EXPECT_OK(made.get());
  EXPECT_EQ(Lookup(*fs_, fs_->root().handle, "locked")->attr.size, 0u);
}

// As data that was written behind.
TEST_F(FencedTest, WhatIsOfTheFencedSessionOnlyFailsEIO) {
  const auto plain = Create(*fs_, "plain");
  ASSERT_OK(plain);
  Caller caller = root_;
  caller.session = fs_->session();
  relay_->Stall(true, true);
  auto written = Start<verbs::Write>(
      *fs_, caller,
      {.inode = plain->entry.handle, .open = last_open(), .data = Bytes::Copy("x")});
  FenceSilent();
  Heal();
  EXPECT_ERROR(kEIO, written.get());
  EXPECT_EQ(Lookup(*fs_, fs_->root().handle, "plain")->attr.size, 0u);
}

TEST_F(FencedTest, MutationOfAClientThatMissesTheGracePeriodSucceeds) {
  relay_->LoseReplies();
  auto made = StartMakeDir("dir");
  ASSERT_TRUE(Eventually([&] { return Exists("dir"); }));
  FenceByRestart();
  server_.Stop();
  server_.Start();
  Heal();
  EXPECT_OK(made.get());
}

TEST_F(FencedTest, MutationOfAClientThatIsFencedTwiceIsDoneOnce) {
  // Verbs are never answered, but sessions are opened.
  ASSERT_OK(ArmFaults("reply.send=fail"));
  auto made = StartMakeDir("dir");
  ASSERT_TRUE(Eventually([&] { return Exists("dir"); }));
  FenceSilent();
  Heal();
  const auto sessions = [&] { return server_.fs().store().LoadSessions()->size(); };
  ASSERT_TRUE(Eventually([&] { return sessions() == 2; }));
  FenceByRestart();
  EXPECT_FALSE(IsReady(made));
  ASSERT_OK(ArmFaults(""));
  Heal();
  EXPECT_OK(made.get());
  EXPECT_EQ(sessions(), 3u);
}

TEST_F(FencedTest, MutationFailsEIOAfterManySessionsThatDidNotAnswer) {
  ASSERT_OK(ArmFaults("reply.send=fail"));
  auto made = StartMakeDir("dir");
  std::vector<Answer<verbs::MakeDir>> later;
  for (size_t lost = 0; lost <= kFormerRequestsMax; ++lost) {
    // What is asked next has been done: so that, too, has been asked in this session.
    const std::string next = "next" + std::to_string(lost);
    later.push_back(StartMakeDir(next));
    ASSERT_TRUE(Eventually([&] { return Exists(next); }));
    EXPECT_FALSE(IsReady(made)) << lost;
    FenceByRestart();
    Heal();
  }
  EXPECT_ERROR(kEIO, made.get());
  EXPECT_TRUE(Exists("dir"));
  ASSERT_OK(ArmFaults(""));
  later.erase(later.begin());  // asked as often, perhaps
  for (auto& one : later) EXPECT_OK(one.get());
}

TEST_F(FencedTest, MutationFailsEIOIfNobodyKnowsWhatBecameOfIt) {
  const auto plain = Create(*fs_, "plain");
  ASSERT_OK(plain);
  relay_->LoseReplies();
  auto released = Start<verbs::Release>(*fs_, root_, {plain->entry.handle, last_open()});
  auto made = StartMakeDir("dir");
  ASSERT_TRUE(Eventually([&] { return Exists("dir"); }));
  FenceSilent();
  store::Store& store = server_.fs().store();
  ASSERT_OK_AND_ASSIGN(const auto sessions, store.LoadSessions());
  for (const store::SessionRecord& record : sessions) ASSERT_OK(store.DeleteSession(record.id));
  Heal();
  EXPECT_ERROR(kEIO, made.get());
  EXPECT_OK(released.get());
}

}  // namespace
}  // namespace tarn::transport
