// Calls that do not wait for an absent server for ever, and clients that end the session of a dead
// predecessor.
#include "tests/unit/transport/remote_fixture.h"

namespace tarn::transport {
namespace {

using testing::Eventually;

constexpr int64_t kSoon = kSecondNanos / 5;

class PatienceTest : public RemoteFixture {
 protected:
  Caller Impatient() const {
    Caller caller = root_;
    caller.patience_nanos = kSoon;
    return caller;
  }
};

TEST_F(PatienceTest, CallFailsEIOWhenTheServerStaysAway) {
  const auto fs = Connect();
  server_.Stop();
  EXPECT_ERROR(kEIO, Wait<verbs::GetAttr>(*fs, Impatient(), {fs->root().handle}));
  auto patient = Start<verbs::GetAttr>(*fs, root_, {fs->root().handle});
  EXPECT_ERROR(kEIO, Wait<verbs::GetAttr>(*fs, Impatient(), {fs->root().handle}));
  EXPECT_FALSE(IsReady(patient));
  server_.Start();
  EXPECT_OK(patient.get());
}

TEST_F(PatienceTest, MutationThatFailedEIOTakesEffectOnceAndItsSlotGoesOn) {
  testing::Relay relay(server_.address());
  const auto fs = Connect(relay.address());
  relay.LoseReplies();
  auto made = Start<verbs::MakeDir>(*fs, Impatient(),
                                    {.dir = fs->root().handle, .name = "dir", .mode = 0755});
  ASSERT_TRUE(Eventually([&] { return Exists("dir"); }));
  server_.Stop();
  relay.Cut();
  EXPECT_ERROR(kEIO, made.get());
  server_.Start();
  ASSERT_OK(Wait<verbs::RemoveDir>(*fs, root_, {fs->root().handle, "dir"}));
  // As many as take every slot several times: a late copy would make it again.
  for (uint32_t i = 0; i < 3 * kSlotsPerSession; ++i) {
    ASSERT_OK(Wait<verbs::GetAttr>(*fs, root_, {fs->root().handle}));
  }
  EXPECT_FALSE(Exists("dir"));
}

TEST_F(PatienceTest, WhatAFailedCallGotLateIsLetGo) {
  testing::Relay relay(server_.address());
  const auto a = Connect(relay.address());
  const auto b = Connect();
  const auto made = Create(*a, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId open_a = last_open();
  ASSERT_OK(Open(*b, file));
  const OpenId open_b = last_open();
  relay.Stall(true, true);
  auto locked =
      Start<verbs::SetLock>(*a, Impatient(), LockOf(file, open_a, LockType::kWrite, false));
  relay.Cut();
  EXPECT_ERROR(kEIO, locked.get());
  relay.Stall(false, false);
  ASSERT_OK(Lookup(*a, a->root().handle, "file"));
  EXPECT_TRUE(Eventually([&] {
    return SetLock(*b, LockOf(file, open_b, LockType::kWrite, false, 2)).ok();
  }));
}

TEST_F(PatienceTest, ReleaseThatFailedEIOIsSentLater) {
  testing::Relay relay(server_.address());
  const auto a = Connect(relay.address());
  const auto b = Connect();
  const auto made = Create(*a, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId open_a = last_open();
  ASSERT_OK(Open(*b, file));
  const OpenId open_b = last_open();
  SetLockArgs flock = LockOf(file, open_a, LockType::kWrite, false);
  flock.kind = LockKind::kFlock;
  ASSERT_OK(SetLock(*a, flock));
  relay.Stall(true, true);
  relay.Cut();
  // The connection must be known to be lost, else the release is on its way and not in the queue.
  EXPECT_ERROR(kEIO, Wait<verbs::GetAttr>(*a, Impatient(), {a->root().handle}));
  EXPECT_ERROR(kEIO, Wait<verbs::Release>(*a, Impatient(), {file, open_a}));
  relay.Stall(false, false);
  flock.open = open_b;
  flock.owner = LockOwner{2};
  EXPECT_TRUE(Eventually([&] { return SetLock(*b, flock).ok(); }));
}

class ReplaceTest : public RemoteFixture {
 protected:
  std::unique_ptr<RemoteFs> Connect(std::string* told, const std::string& replaced) {
    ConnectOptions options;
    options.server = server_.address();
    options.client_name = "test";
    options.replaced_session = replaced;
    options.on_session = [told](const std::string& session) { *told = session; };
    auto fs = RemoteFs::Connect(options);
    EXPECT_OK(fs);
    return fs.ok() ? std::move(fs).value() : nullptr;
  }
};

TEST_F(ReplaceTest, SessionOfADeadPredecessorEndsAtOnce) {
  std::string first, second;
  const auto dead = Connect(&first, "");
  const auto made = Create(*dead, "file");
  ASSERT_OK(made);
  ASSERT_OK(SetLock(*dead, LockOf(made->entry.handle, last_open(), LockType::kWrite, false)));
  const auto successor = Connect(&second, first);
  EXPECT_NE(first, second);
  ASSERT_OK(Open(*successor, made->entry.handle));
  EXPECT_OK(SetLock(*successor,
                    LockOf(made->entry.handle, last_open(), LockType::kWrite, false, 2)));
}

TEST_F(ReplaceTest, UnknownPredecessorIsNoObstacle) {
  std::string first, second;
  { const auto gone = Connect(&first, ""); }
  EXPECT_EQ(first, "");  // it said Goodbye
  EXPECT_NE(Connect(&second, std::string(18, 'x')), nullptr);
}

}  // namespace
}  // namespace tarn::transport
