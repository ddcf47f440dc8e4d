// RemoteFs through lost replies, lost connections, restarts of the server and lost sessions.
#include <thread>

#include "tests/unit/transport/remote_fixture.h"

namespace tarn::transport {
namespace {

using testing::Eventually;

class ReconnectTest : public RemoteFixture {
 protected:
  void Restart() {
    server_.Stop();
    server_.Start();
  }
};

TEST_F(ReconnectTest, MutationWhoseReplyIsLostTakesEffectOnce) {
  testing::Relay relay(server_.address());
  const auto fs = Connect(relay.address());
  relay.LoseReplies();
  auto made = Start<verbs::MakeDir>(*fs, root_,
                                    {.dir = fs->root().handle, .name = "dir", .mode = 0755});
  ASSERT_TRUE(Eventually([&] { return Exists("dir"); }));
  EXPECT_FALSE(IsReady(made));
  relay.Cut();
  // Run again it would fail with EEXIST.
  EXPECT_OK(made.get());
}

TEST_F(ReconnectTest, MutationWhoseReplyIsLostWithTheServerTakesEffectOnce) {
  testing::Relay relay(server_.address());
  const auto fs = Connect(relay.address());
  ASSERT_OK(Create(*fs, "old"));
  relay.LoseReplies();
  auto renamed = Start<verbs::Rename>(*fs, root_,
                                      {.dir = fs->root().handle,
                                       .name = "old",
                                       .new_dir = fs->root().handle,
                                       .new_name = "new"});
  ASSERT_TRUE(Eventually([&] { return Exists("new"); }));
  server_.Stop();
  relay.Cut();
  server_.Start();
  EXPECT_OK(renamed.get());
  EXPECT_FALSE(Exists("old"));
}

// It was done, and another client has had the lock since. Who of them told a restarted server of it
// first would take it away from the other.
TEST_F(ReconnectTest, LockThatIsBeingGivenUpIsNotReclaimed) {
  testing::Relay relay(server_.address());
  const auto first = Connect(relay.address());
  const auto second = Connect();
  const auto made = Create(*first, "f");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId first_open = last_open();
  ASSERT_OK(SetLock(*first, LockOf(file, first_open, LockType::kWrite, false)));
  ASSERT_OK(Open(*second, file));
  const OpenId second_open = last_open();
  relay.LoseReplies();
  auto unlocked = Start<verbs::SetLock>(*first, root_,
                                        LockOf(file, first_open, LockType::kUnlock, false));
  ASSERT_OK(SetLock(*second, LockOf(file, second_open, LockType::kWrite, true)));
  relay.Stall(true, true);
  Restart();
  // The second has come back when it is answered again.
  EXPECT_OK(Wait<verbs::StatFs>(*second, root_, {second->root().handle}));
  relay.Stall(false, false);
  relay.Cut();
  EXPECT_OK(unlocked.get());
  EXPECT_ERROR(kEAGAIN, SetLock(*first, LockOf(file, first_open, LockType::kWrite, false)));
  EXPECT_OK(Write(*second, file, second_open, "x"));
  EXPECT_OK(SetLock(*second, LockOf(file, second_open, LockType::kUnlock, false)));
}

TEST_F(ReconnectTest, CreateWhoseReplyIsLostWithTheServerIsOpen) {
  testing::Relay relay(server_.address());
  const auto fs = Connect(relay.address());
  relay.LoseReplies();
  auto made = Start<verbs::Create>(*fs, root_,
                                   {.dir = fs->root().handle,
                                    .name = "file",
                                    .mode = 0600,
                                    .open = OpenId{77},
                                    .access = OpenAccess::kReadWrite,
                                    .exclusive = true});
  ASSERT_TRUE(Eventually([&] { return Exists("file"); }));
  server_.Stop();
  relay.Cut();
  server_.Start();
  const auto reply = made.get();
  ASSERT_OK(reply);
  EXPECT_OK(Write(*fs, reply->entry.handle, OpenId{77}, "x"));
}

TEST_F(ReconnectTest, LoadGoesOnThroughRestarts) {
  constexpr int kThreads = 3;
  constexpr int kEach = 200;
  const auto fs = Connect();
  std::atomic<int> finished = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string name = fmt::format("{}-{}", t, i);
        EXPECT_OK(Wait<verbs::MakeDir>(
            *fs, root_, {.dir = fs->root().handle, .name = name, .mode = 0755}));
        EXPECT_OK(Lookup(*fs, fs->root().handle, name));
        ++finished;
      }
    });
  }
  for (int restart = 1; restart <= 2; ++restart) {
    ASSERT_TRUE(Eventually([&] { return finished > restart * kEach / 2; }));
    Restart();
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const AttrReply attr,
                       Wait<verbs::GetAttr>(*fs, root_, {fs->root().handle}));
  EXPECT_EQ(attr.attr.nlink, 2u + kThreads * kEach);
}

TEST_F(ReconnectTest, OpensAndLocksAreThereAfterARestart) {
  const auto a = Connect();
  const auto b = Connect();
  const auto made = Create(*a, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId open_a = last_open();
  ASSERT_OK(Open(*b, file));
  const OpenId open_b = last_open();
  ASSERT_OK(SetLock(*a, LockOf(file, open_a, LockType::kWrite, false)));
  ASSERT_OK(Wait<verbs::Unlink>(*a, root_, {a->root().handle, "file"}));
  Restart();
  EXPECT_ERROR(kEAGAIN, SetLock(*b, LockOf(file, open_b, LockType::kRead, false)));
  EXPECT_OK(Write(*b, file, open_b, "still open, though unlinked"));
  EXPECT_OK(SetLock(*a, LockOf(file, open_a, LockType::kUnlock, false)));
  EXPECT_OK(SetLock(*b, LockOf(file, open_b, LockType::kRead, false)));
}

TEST_F(ReconnectTest, WaitingLockIsGrantedAfterARestart) {
  const auto a = Connect();
  const auto b = Connect();
  const auto made = Create(*a, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId open_a = last_open();
  ASSERT_OK(Open(*b, file));
  const OpenId open_b = last_open();
  ASSERT_OK(SetLock(*a, LockOf(file, open_a, LockType::kWrite, false)));
  auto waiting = Start<verbs::SetLock>(*b, root_, LockOf(file, open_b, LockType::kWrite, true));
  Restart();
  ASSERT_OK(Lookup(*b, b->root().handle, "file"));
  EXPECT_FALSE(IsReady(waiting));
  ASSERT_OK(SetLock(*a, LockOf(file, open_a, LockType::kUnlock, false)));
  EXPECT_OK(waiting.get());
}

TEST_F(ReconnectTest, WaitingLockWhoseConnectionBreaksIsGrantedLater) {
  testing::Relay relay(server_.address());
  const auto a = Connect();
  const auto b = Connect(relay.address());
  const auto made = Create(*a, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId open_a = last_open();
  ASSERT_OK(Open(*b, file));
  const OpenId open_b = last_open();
  ASSERT_OK(SetLock(*a, LockOf(file, open_a, LockType::kWrite, false)));
  auto waiting = Start<verbs::SetLock>(*b, root_, LockOf(file, open_b, LockType::kWrite, true));
  relay.Cut();
  ASSERT_OK(Lookup(*b, b->root().handle, "file"));
  EXPECT_FALSE(IsReady(waiting));
  ASSERT_OK(SetLock(*a, LockOf(file, open_a, LockType::kUnlock, false)));
  EXPECT_OK(waiting.get());
}

TEST_F(ReconnectTest, CallIsInterruptedWhileTheServerIsAway) {
  const auto fs = Connect();
  server_.Stop();
  auto cancellation = std::make_shared<Cancellation>();
  auto call = Start<verbs::MakeDir>(*fs, Cancellable(cancellation),
                                    {.dir = fs->root().handle, .name = "dir", .mode = 0755});
  auto patient = Start<verbs::GetAttr>(*fs, root_, {fs->root().handle});
  cancellation->Cancel();
  EXPECT_ERROR(kEINTR, call.get());
  EXPECT_FALSE(IsReady(patient));
  server_.Start();
  EXPECT_OK(patient.get());
}

TEST_F(ReconnectTest, WaitingLockIsInterruptedWhileTheServerIsAwayAndHoldsNothing) {
  const auto a = Connect();
  const auto b = Connect();
  const auto made = Create(*a, "file");
  ASSERT_OK(made);
  const Handle file = made->entry.handle;
  const OpenId open_a = last_open();
  ASSERT_OK(Open(*b, file));
  const OpenId open_b = last_open();
  ASSERT_OK(SetLock(*a, LockOf(file, open_a, LockType::kWrite, false)));
  auto cancellation = std::make_shared<Cancellation>();
  auto waiting = Start<verbs::SetLock>(*b, Cancellable(cancellation),
                                       LockOf(file, open_b, LockType::kWrite, true));
  server_.Stop();
  cancellation->Cancel();
  EXPECT_ERROR(kEINTR, waiting.get());
  server_.Start();
  ASSERT_OK(SetLock(*a, LockOf(file, open_a, LockType::kUnlock, false)));
  // Whatever became of b's request, it ends by itself and leaves the lock free.
  EXPECT_TRUE(Eventually([&] {
    return SetLock(*a, LockOf(file, open_a, LockType::kWrite, false)).ok();
  }));
}

TEST_F(ReconnectTest, LostSessionIsReplacedAndLosesOnlyWhatHeldLocks) {
  const auto fs = Connect();
  const auto plain = Create(*fs, "plain");
  ASSERT_OK(plain);
  const OpenId plain_open = last_open();
  const auto locked = Create(*fs, "locked");
  ASSERT_OK(locked);
  const OpenId locked_open = last_open();
  ASSERT_OK(SetLock(*fs, LockOf(locked->entry.handle, locked_open, LockType::kWrite, false)));
  store::Store& store = server_.fs().store();
  ASSERT_OK_AND_ASSIGN(const auto sessions, store.LoadSessions());
  for (const store::SessionRecord& record : sessions) ASSERT_OK(store.DeleteSession(record.id));
  Restart();

  EXPECT_OK(Lookup(*fs, fs->root().handle, "plain"));
  EXPECT_OK(Write(*fs, plain->entry.handle, plain_open, "goes on"));
  EXPECT_ERROR(kEIO, Write(*fs, locked->entry.handle, locked_open, "no"));
  EXPECT_OK(Wait<verbs::Release>(*fs, root_, {locked->entry.handle, locked_open}));
  EXPECT_OK(Open(*fs, locked->entry.handle));
  EXPECT_OK(Write(*fs, locked->entry.handle, last_open(), "anew"));
}

TEST_F(ReconnectTest, CloseEndsWhileTheServerIsAway) {
  const auto fs = Connect();
  server_.Stop();
  auto call = Start<verbs::GetAttr>(*fs, root_, {fs->root().handle});
  fs->Close();
  EXPECT_ERROR(kEIO, call.get());
}

// Whoever waits for the end of all that it has asked (FuseBridge) must not wait for the session's.
TEST_F(ReconnectTest, WhatWasAnsweredAtTheCloseKeepsNothingOfItsMaker) {
  const auto fs = Connect();
  server_.Stop();
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> kept = token;
  Notification answered;
  auto cancellation = std::make_shared<Cancellation>();
  const std::weak_ptr<Cancellation> kept_with_it = cancellation;
  fs->GetAttr(Cancellable(std::move(cancellation)), {fs->root().handle},
              [&answered, token = std::move(token)](Result<AttrReply> reply) {
                EXPECT_ERROR(kEIO, reply);
                answered.Notify();
              });
  fs->Close();
  answered.WaitForNotification();
  EXPECT_TRUE(kept.expired());
  EXPECT_TRUE(kept_with_it.expired());
}

}  // namespace
}  // namespace tarn::transport
