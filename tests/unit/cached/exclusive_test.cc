// Two CachedFs in front of a server in this process: what one writes and locks under an exclusive
// lease, with the server there, away and restarted, and what the other sees.
#include <gtest/gtest.h>

#include "common/wait.h"
#include "tests/support/eventually.h"
#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

class ExclusiveTest : public ::testing::Test {
 protected:
  static constexpr OpenId kOpen{1};

  static CacheOptions Patient() {
    // By itself nothing is told.
    return {.write_behind = {.delay_nanos = 3600 * kSecondNanos}};
  }
  static Caller Root() {
    Caller caller;
    caller.groups.emplace();
    return caller;
  }
  template <class V>
  Result<typename V::Reply> Call(Client& client, typename V::Args args) {
    return Wait<V>(*client.fs, Root(), std::move(args));
  }
  void SetUp() override {
    auto made = Call<verbs::Create>(a_, {.dir = a_.remote->root().handle,
                                         .name = "f",
                                         .mode = 0644,
                                         .open = kOpen,
                                         .access = OpenAccess::kReadWrite});
    ASSERT_OK(made);
    file_ = made->entry.handle;
  }
  void OpenInB() {
    ASSERT_OK(
        Call<verbs::Open>(b_, {.inode = file_, .open = kOpen, .access = OpenAccess::kReadWrite}));
  }
  Result<WriteReply> Write(Client& client, const std::string& data, bool append = true,
                           uint64_t offset = 0) {
    return Call<verbs::Write>(client, {.inode = file_,
                                       .open = kOpen,
                                       .offset = offset,
                                       .append = append,
                                       .data = Bytes::FromString(data)});
  }
  // Two writes make it exclusive.
  void MakeExclusive() {
    ASSERT_OK(Write(a_, "1"));
    ASSERT_OK(Write(a_, "2"));
  }
  Result<std::string> Read(Client& client, uint64_t offset = 0, uint32_t size = 1 << 20) {
    ASSIGN_OR_RETURN(
        ReadReply reply,
        Call<verbs::Read>(client, {.inode = file_, .open = kOpen, .offset = offset, .size = size}));
    return reply.data.ToString();
  }
  Result<uint64_t> SizeIn(Client& client) {
    ASSIGN_OR_RETURN(AttrReply reply, Call<verbs::GetAttr>(client, {.inode = file_}));
    return reply.attr.size;
  }
  Status Lock(Client& client, LockType type, uint64_t owner = 1, uint64_t start = 0) {
    return Call<verbs::SetLock>(client, {.inode = file_,
                                         .open = kOpen,
                                         .owner = LockOwner{owner},
                                         .lock = {.type = type, .start = start, .end = start + 9}});
  }
  // What waits in the cache, while the server is away, ends by a signal.
  template <class V>
  void ExpectInterruptible(typename V::Args args) {
    SCOPED_TRACE(V::kName);
    Caller caller = Root();
    caller.cancellation = std::make_shared<Cancellation>();
    Notification ended;
    V::Call(*a_.fs, caller, std::move(args), [&ended](Result<typename V::Reply> result) {
      EXPECT_ERROR(kEINTR, result);
      ended.Notify();
    });
    EXPECT_FALSE(ended.HasBeenNotified());
    caller.cancellation->Cancel();
    EXPECT_TRUE(testing::Eventually([&] { return ended.HasBeenNotified(); }));
  }
  // As if the server had fenced all sessions while it was away.
  void LoseSessions() {
    store::Store& store = server_.fs().store();
    ASSERT_OK_AND_ASSIGN(const auto sessions, store.LoadSessions());
    for (const store::SessionRecord& record : sessions) ASSERT_OK(store.DeleteSession(record.id));
    server_.Stop();
    server_.Start();
  }

  testing::InProcessServer server_;
  Client a_{server_.address(), Patient()};
  Client b_{server_.address(), Patient()};
  Handle file_;
};

// ---- writes ----

TEST_F(ExclusiveTest, WritesGoOnWithoutTheServerAndAreThereAfterwards) {
  MakeExclusive();
  server_.Stop();
  ASSERT_OK(Write(a_, "345"));
  EXPECT_EQ(*SizeIn(a_), 5u);
  EXPECT_EQ(*Read(a_, 2, 10), "345");
  EXPECT_EQ(*Read(a_, 5, 10), "");
  server_.Start();
  ASSERT_OK(Call<verbs::Fsync>(a_, {.inode = file_, .open = kOpen}));
  OpenInB();
  EXPECT_EQ(*Read(b_), "12345");
}

TEST_F(ExclusiveTest, OtherClientSeesEachWriteAtOnce) {
  OpenInB();
  std::string all;
  for (int i = 0; i < 200; ++i) {
    const std::string some(1 + i * 37 % 300, static_cast<char>('a' + i % 26));
    ASSERT_OK(Write(a_, some));
    all += some;
    if (i % 7 == 0) {
      ASSERT_EQ(*SizeIn(b_), all.size());
    }
    if (i % 11 == 0) {
      ASSERT_EQ(*Read(b_), all);
    }
  }
}

TEST_F(ExclusiveTest, MuchMoreThanFitsInMemoryArrives) {
  Client c(server_.address(), {.write_behind = {.max_bytes = 3 << 20, .max_file_bytes = 2 << 20}});
  ASSERT_OK(
      Call<verbs::Open>(c, {.inode = file_, .open = kOpen, .access = OpenAccess::kReadWrite}));
  std::string all;
  for (int i = 0; i < 100; ++i) {
    const std::string some(150'000, static_cast<char>('a' + i % 26));
    ASSERT_OK(Write(c, some, /*append=*/false, all.size()));
    all += some;
  }
  OpenInB();
  EXPECT_EQ(*SizeIn(b_), all.size());
  for (uint64_t at = 0; at < all.size(); at += 1 << 20) {
    ASSERT_EQ(*Read(b_, at), all.substr(at, 1 << 20));
  }
}

TEST_F(ExclusiveTest, WrittenAndUnwrittenPartsAreReadTogether) {
  ASSERT_OK(Write(a_, std::string(100, 'x')));
  MakeExclusive();
  ASSERT_OK(Write(a_, "yyyy", /*append=*/false, 50));
  EXPECT_EQ(*Read(a_, 0, 200), std::string(50, 'x') + "yyyy" + std::string(46, 'x') + "12");
  ASSERT_OK(Write(a_, "z", /*append=*/false, 300));
  EXPECT_EQ(*Read(a_, 102, 198), std::string(198, '\0'));
  EXPECT_EQ(*SizeIn(a_), 301u);
}

TEST_F(ExclusiveTest, LookOfAnotherClientLeavesTheLease) {
  MakeExclusive();
  ASSERT_OK(Write(a_, "345"));
  EXPECT_EQ(*SizeIn(b_), 5u);
  auto found = Call<verbs::Lookup>(b_, {.dir = b_.remote->root().handle, .name = "f"});
  ASSERT_OK(found);
  EXPECT_EQ(found->attr.size, 5u);
  const Timestamp seen = found->attr.mtime;
  server_.Stop();
  ASSERT_OK(Write(a_, "678"));
  server_.Start();
  ASSERT_OK(Call<verbs::Flush>(a_, {.inode = file_, .open = kOpen, .locks = false}));
  auto attr = Call<verbs::GetAttr>(b_, {.inode = file_});
  ASSERT_OK(attr);
  EXPECT_EQ(attr->attr.size, 8u);
  EXPECT_GT(attr->attr.mtime, seen);
}

TEST_F(ExclusiveTest, TimesAreThoseOfTheWriteHoweverLateItIsTold) {
  MakeExclusive();
  ASSERT_OK(Write(a_, "345"));
  auto before = Call<verbs::GetAttr>(a_, {.inode = file_});
  ASSERT_OK(before);
  ASSERT_OK(Call<verbs::Fsync>(a_, {.inode = file_, .open = kOpen}));
  auto after = Call<verbs::GetAttr>(a_, {.inode = file_});
  ASSERT_OK(after);
  EXPECT_EQ(after->attr.mtime, before->attr.mtime);
  EXPECT_EQ(after->attr.ctime, before->attr.ctime);
  auto elsewhere = Call<verbs::GetAttr>(b_, {.inode = file_});
  ASSERT_OK(elsewhere);
  EXPECT_EQ(elsewhere->attr.mtime, before->attr.mtime);
}

TEST_F(ExclusiveTest, WhatWasWrittenGoesBeforeARename) {
  MakeExclusive();
  ASSERT_OK(Write(a_, "345"));
  const Handle root = a_.remote->root().handle;
  ASSERT_OK(Call<verbs::Rename>(a_, {.dir = root, .name = "f", .new_dir = root, .new_name = "g"}));
  server_.Stop();  // all that it was told is there
  server_.Start();
  OpenInB();
  EXPECT_EQ(*Read(b_), "12345");
}

TEST_F(ExclusiveTest, WhatWasWrittenIsCopied) {
  constexpr OpenId kTarget{2};
  auto target = Call<verbs::Create>(a_, {.dir = a_.remote->root().handle,
                                         .name = "copy",
                                         .mode = 0644,
                                         .open = kTarget,
                                         .access = OpenAccess::kReadWrite});
  ASSERT_OK(target);
  MakeExclusive();
  ASSERT_OK(Write(a_, "345"));
  auto copied = Call<verbs::CopyRange>(a_, {.source = file_,
                                            .source_open = kOpen,
                                            .target = target->entry.handle,
                                            .target_open = kTarget,
                                            .length = 100});
  ASSERT_OK(copied);
  EXPECT_EQ(copied->copied, 5u);
  auto read = Call<verbs::Read>(
      a_, {.inode = target->entry.handle, .open = kTarget, .offset = 0, .size = 100});
  ASSERT_OK(read);
  EXPECT_EQ(read->data.ToString(), "12345");
}

TEST_F(ExclusiveTest, NobodySeesTheOldFileAfterARestart) {
  OpenInB();
  MakeExclusive();
  ASSERT_OK(Write(a_, "345"));
  server_.Stop();
  ASSERT_OK(Write(a_, "678"));
  server_.Start();
  EXPECT_EQ(*Read(b_), "12345678");
  EXPECT_EQ(*SizeIn(b_), 8u);
}

TEST_F(ExclusiveTest, LostSessionIsToldToWhoWroteAndReadsShowTheTruth) {
  MakeExclusive();
  ASSERT_OK(Call<verbs::Fsync>(a_, {.inode = file_, .open = kOpen}));
  const OpenId other{2};
  ASSERT_OK(Call<verbs::Open>(a_, {.inode = file_, .open = other, .access = OpenAccess::kRead}));
  server_.Stop();
  ASSERT_OK(Write(a_, "lost"));
  server_.Start();
  LoseSessions();
  EXPECT_ERROR(kEIO, Call<verbs::Fsync>(a_, {.inode = file_, .open = kOpen}));
  EXPECT_ERROR(kEIO, Write(a_, "x"));
  EXPECT_EQ(*SizeIn(a_), 2u);
  EXPECT_ERROR(kEIO, Call<verbs::Fsync>(a_, {.inode = file_, .open = other}));
  EXPECT_OK(Call<verbs::Fsync>(a_, {.inode = file_, .open = other}));
  const OpenId anew{3};
  ASSERT_OK(
      Call<verbs::Open>(a_, {.inode = file_, .open = anew, .access = OpenAccess::kReadWrite}));
  EXPECT_OK(Call<verbs::Write>(
      a_, {.inode = file_, .open = anew, .append = true, .data = Bytes::FromString("3")}));
  EXPECT_OK(Call<verbs::Fsync>(a_, {.inode = file_, .open = anew}));
}

TEST_F(ExclusiveTest, WhoeverWaitsForItToBeToldCanBeInterrupted) {
  MakeExclusive();
  ASSERT_OK(Write(a_, std::string(5000, 'x')));
  ASSERT_OK(Call<verbs::Fsync>(a_, {.inode = file_, .open = kOpen}));
  server_.Stop();
  ASSERT_OK(Write(a_, "345"));
  ExpectInterruptible<verbs::Fsync>({.inode = file_, .open = kOpen});
  ExpectInterruptible<verbs::StatFs>({.inode = file_});
  ExpectInterruptible<verbs::Seek>({.inode = file_, .open = kOpen});
  ExpectInterruptible<verbs::Read>({.inode = file_, .open = kOpen, .size = 9999});
  ExpectInterruptible<verbs::SetAttr>({.inode = file_, .open = kOpen, .mode = 0600});
  server_.Start();
  ASSERT_OK(Call<verbs::Fsync>(a_, {.inode = file_, .open = kOpen}));
  OpenInB();
  EXPECT_EQ(*Read(b_), "12" + std::string(5000, 'x') + "345");
  auto attr = Call<verbs::GetAttr>(b_, {.inode = file_});
  ASSERT_OK(attr);
  EXPECT_EQ(attr->attr.mode & 07777, 0644u);  // what was interrupted was not done
}

// ---- locks ----

TEST_F(ExclusiveTest, WhoeverWaitsForLocksToBeHandedOverCanBeInterrupted) {
  OpenInB();
  MakeExclusive();
  server_.Stop();
  ASSERT_OK(Lock(a_, LockType::kWrite));
  SetLockArgs wanted{.inode = file_,
                     .open = kOpen,
                     .owner = LockOwner{2},
                     .wait = true,
                     .lock = {.type = LockType::kWrite, .start = 0, .end = 9}};
  ExpectInterruptible<verbs::SetLock>(wanted);  // makes it be handed over
  ExpectInterruptible<verbs::SetLock>(wanted);
  ExpectInterruptible<verbs::GetLock>(
      {.inode = file_, .open = kOpen, .owner = LockOwner{2}, .lock = wanted.lock});
  server_.Start();
  EXPECT_ERROR(kEAGAIN, Lock(b_, LockType::kWrite));
  ASSERT_OK(Lock(a_, LockType::kUnlock));
  EXPECT_OK(Lock(b_, LockType::kWrite));  // not in the way: who was interrupted
}

TEST_F(ExclusiveTest, LocksAreGrantedWithoutTheServer) {
  MakeExclusive();
  server_.Stop();
  EXPECT_OK(Lock(a_, LockType::kWrite));
  EXPECT_ERROR(kEAGAIN, Lock(a_, LockType::kRead, /*owner=*/2));
  EXPECT_OK(Lock(a_, LockType::kRead, /*owner=*/2, /*start=*/100));
  auto blocker = Call<verbs::GetLock>(
      a_, {.inode = file_, .open = kOpen, .owner = LockOwner{2}, .lock = {LockType::kRead}});
  ASSERT_OK(blocker);
  EXPECT_EQ(blocker->conflict.type, LockType::kWrite);
  EXPECT_OK(Lock(a_, LockType::kUnlock));
  EXPECT_OK(Lock(a_, LockType::kRead, /*owner=*/2));
  server_.Start();
}

TEST_F(ExclusiveTest, LockIsHandedOverToWhomItMustKeepOut) {
  OpenInB();
  MakeExclusive();
  ASSERT_OK(Lock(a_, LockType::kWrite));
  EXPECT_ERROR(kEAGAIN, Lock(b_, LockType::kWrite));
  EXPECT_ERROR(kEAGAIN, Lock(a_, LockType::kRead, /*owner=*/2));
  ASSERT_OK(Lock(a_, LockType::kUnlock));
  EXPECT_OK(Lock(b_, LockType::kWrite));
  EXPECT_ERROR(kEAGAIN, Lock(a_, LockType::kWrite));
}

TEST_F(ExclusiveTest, ExpectedWaitIsSeenByTheServerAndEndsInOrder) {
  MakeExclusive();
  ASSERT_OK(Lock(a_, LockType::kWrite));
  SetLockArgs wanted{.inode = file_,
                     .open = kOpen,
                     .owner = LockOwner{2},
                     .wait = true,
                     .lock = {.type = LockType::kWrite}};
  Notification granted;
  a_.fs->SetLock(Root(), wanted, [&granted](Result<Unit> result) {
    EXPECT_OK(result);
    granted.Notify();
  });
  EXPECT_FALSE(granted.HasBeenNotified());
  ASSERT_OK(Lock(a_, LockType::kUnlock));
  granted.WaitForNotification();
}

TEST_F(ExclusiveTest, LocksSurviveARestartOfTheServer) {
  OpenInB();
  MakeExclusive();
  server_.Stop();
  ASSERT_OK(Lock(a_, LockType::kWrite));
  server_.Start();
  EXPECT_ERROR(kEAGAIN, Lock(b_, LockType::kWrite));
  ASSERT_OK(Lock(a_, LockType::kUnlock));
  EXPECT_OK(Lock(b_, LockType::kWrite));
}

TEST_F(ExclusiveTest, LostLockIsToldByEioOnItsDescriptor) {
  MakeExclusive();
  ASSERT_OK(Call<verbs::Fsync>(a_, {.inode = file_, .open = kOpen}));
  server_.Stop();
  ASSERT_OK(Lock(a_, LockType::kWrite));
  server_.Start();
  LoseSessions();
  EXPECT_ERROR(kEIO, Read(a_));
  EXPECT_ERROR(kEIO, Write(a_, "x"));
}

TEST_F(ExclusiveTest, CloseDropsTheOwnersLocks) {
  OpenInB();
  MakeExclusive();
  ASSERT_OK(Lock(a_, LockType::kWrite));
  ASSERT_OK(Call<verbs::Flush>(a_, {.inode = file_, .open = kOpen, .owner = LockOwner{1}}));
  EXPECT_OK(Lock(b_, LockType::kWrite));
  ASSERT_OK(Lock(b_, LockType::kUnlock));
}

}  // namespace
}  // namespace tarn::cache
