#include "server/state/lock_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace tarn::state {
namespace {

using ::testing::ElementsAre;

constexpr SessionId kA{1, 1}, kB{1, 2};
constexpr Ino kFile{10}, kOther{11};
constexpr LockType kRead = LockType::kRead, kWrite = LockType::kWrite, kNone = LockType::kUnlock;

class LockTableTest : public ::testing::Test {
 protected:
  static LockRequest Range(uint64_t owner, LockType type, uint64_t start, uint64_t end,
                           Ino ino = kFile) {
    return {.ino = ino, .session = owner % 2 == 0 ? kA : kB, .open = OpenId{owner},
            .owner = LockOwner{owner}, .lock = {.type = type, .start = start, .end = end}};
  }
  static LockRequest Flock(uint64_t owner, LockType type) {
    LockRequest request = Range(owner, type, 0, kLockToEnd);
    request.kind = LockKind::kFlock;
    return request;
  }
  // Notes `name` and the outcome when it is answered.
  WaitId Wait(const LockRequest& request, const std::string& name) {
    return table_.SetOrWait(request, [this, name](Status answer) {
      answers_.push_back(answer.ok() ? name : name + ":" + std::string(ErrnoName(answer.code())));
    });
  }
  void TearDown() override { table_.CheckInvariants(); }

  std::vector<std::string> answers_;
  LockTable table_;  // goes first: it answers what waits
};

TEST_F(LockTableTest, TestNamesFirstConflictInFile) {
  auto later = Range(1, kWrite, 50, 60);
  later.lock.pid = 7;
  ASSERT_TRUE(table_.Set(later).ok());
  ASSERT_TRUE(table_.Set(Range(2, kRead, 10, 20)).ok());
  EXPECT_EQ(table_.Test(Range(4, kWrite, 0, kLockToEnd)).start, 10u);
  const FileLock conflict = table_.Test(Range(4, kRead, 0, kLockToEnd));
  EXPECT_EQ(conflict.start, 50u);
  EXPECT_EQ(conflict.end, 60u);
  EXPECT_EQ(conflict.pid, 7u);
}

TEST_F(LockTableTest, TestForAnUnlockNamesTheFirstOfItsOwn) {
  ASSERT_TRUE(table_.Set(Range(1, kWrite, 50, 60)).ok());
  ASSERT_TRUE(table_.Set(Range(1, kRead, 10, 20)).ok());
  EXPECT_EQ(table_.Test(Range(1, kNone, 0, kLockToEnd)).start, 10u);
  EXPECT_EQ(table_.Test(Range(1, kNone, 21, kLockToEnd)).type, kWrite);
  EXPECT_EQ(table_.Test(Range(1, kNone, 21, 49)).type, kNone);
  EXPECT_EQ(table_.Test(Range(4, kNone, 0, kLockToEnd)).type, kNone);
}

// ---- order ----

TEST_F(LockTableTest, WaitersAreGrantedInOrderOfArrival) {
  ASSERT_TRUE(table_.Set(Range(0, kWrite, 0, 9)).ok());
  Wait(Range(1, kWrite, 0, 9), "one");
  Wait(Range(2, kWrite, 0, 9), "two");
  Wait(Range(3, kRead, 0, 9), "three");
  Wait(Range(4, kRead, 0, 9), "four");
  ASSERT_TRUE(table_.Set(Range(0, kNone, 0, 9)).ok());
  EXPECT_THAT(answers_, ElementsAre("one"));
  ASSERT_TRUE(table_.Set(Range(1, kNone, 0, 9)).ok());
  EXPECT_THAT(answers_, ElementsAre("one", "two"));
  ASSERT_TRUE(table_.Set(Range(2, kNone, 0, 9)).ok());
  EXPECT_THAT(answers_, ElementsAre("one", "two", "three", "four"));
}

TEST_F(LockTableTest, WaitingWriterIsNotOvertakenByLaterReader) {
  ASSERT_TRUE(table_.Set(Range(0, kRead, 0, 9)).ok());
  Wait(Range(1, kWrite, 0, 9), "writer");
  Wait(Range(2, kRead, 0, 9), "reader");
  EXPECT_THAT(answers_, ElementsAre());
  ASSERT_TRUE(table_.Set(Range(0, kNone, 0, 9)).ok());
  EXPECT_THAT(answers_, ElementsAre("writer"));
  ASSERT_TRUE(table_.Set(Range(1, kNone, 0, 9)).ok());
  EXPECT_THAT(answers_, ElementsAre("writer", "reader"));
}

TEST_F(LockTableTest, WaiterIsNotHeldUpByOneForOtherBytes) {
  ASSERT_TRUE(table_.Set(Range(0, kWrite, 0, 4)).ok());
  Wait(Range(1, kWrite, 0, 4), "low");
  Wait(Range(2, kWrite, 5, 9), "high");
  EXPECT_THAT(answers_, ElementsAre("high"));
}

TEST_F(LockTableTest, HolderIsNotHeldUpByThoseWhoWaitForIt) {
  ASSERT_TRUE(table_.Set(Range(0, kRead, 0, 9)).ok());
  Wait(Range(1, kWrite, 0, 9), "writer");
  Wait(Range(0, kRead, 5, 15), "holder");
  EXPECT_THAT(answers_, ElementsAre("holder"));
}

TEST_F(LockTableTest, ProcessThatHoldsALockIsNotHeldUpByOrder) {
  auto first = Flock(0, kRead), writer = Flock(1, kWrite), second = Flock(2, kRead);
  first.lock.pid = second.lock.pid = 77;  // one process, two descriptions of the same file
  ASSERT_TRUE(table_.Set(first).ok());
  Wait(writer, "writer");
  Wait(second, "second");
  EXPECT_THAT(answers_, ElementsAre("second"));
}

TEST_F(LockTableTest, RequestThatDoesNotWaitIsRefusedForHeldLocksOnly) {
  ASSERT_TRUE(table_.Set(Range(0, kRead, 0, 9)).ok());
  Wait(Range(1, kWrite, 0, 9), "writer");
  EXPECT_TRUE(table_.Set(Range(2, kRead, 0, 9)).ok());
  EXPECT_EQ(table_.Set(Range(2, kWrite, 0, 9)).code(), Errno::kEAGAIN);
}

TEST_F(LockTableTest, ThousandWaitersAreServedOneByOne) {
  ASSERT_TRUE(table_.Set(Flock(0, kWrite)).ok());
  for (uint64_t owner = 1; owner <= 1000; ++owner) {
    Wait(Flock(owner, kWrite), std::to_string(owner));
  }
  for (uint64_t owner = 0; owner <= 1000; ++owner) {
    ASSERT_EQ(answers_.size(), owner);
    ASSERT_TRUE(table_.Set(Flock(owner, kNone)).ok());
  }
  EXPECT_EQ(answers_.back(), "1000");
}

// ---- conversion ----

TEST_F(LockTableTest, FlockUpgradeOfTwoHoldersGivesItToTheLastWhoAsked) {
  ASSERT_TRUE(table_.Set(Flock(0, kRead)).ok());
  ASSERT_TRUE(table_.Set(Flock(1, kRead)).ok());
  Wait(Flock(0, kWrite), "zero");
  Wait(Flock(1, kWrite), "one");  // nothing held is in its way: the other dropped its own to wait
  EXPECT_THAT(answers_, ElementsAre("one"));
  ASSERT_TRUE(table_.Set(Flock(1, kNone)).ok());
  EXPECT_THAT(answers_, ElementsAre("one", "zero"));
}

TEST_F(LockTableTest, RefusedFlockUpgradeLosesTheLockAsInLinux) {
  ASSERT_TRUE(table_.Set(Flock(0, kRead)).ok());
  ASSERT_TRUE(table_.Set(Flock(1, kRead)).ok());
  EXPECT_EQ(table_.Set(Flock(0, kWrite)).code(), Errno::kEAGAIN);
  EXPECT_TRUE(table_.Set(Flock(1, kWrite)).ok());
}

TEST_F(LockTableTest, DowngradeLetsReadersIn) {
  ASSERT_TRUE(table_.Set(Range(0, kWrite, 0, 9)).ok());
  Wait(Range(1, kRead, 0, 9), "reader");
  ASSERT_TRUE(table_.Set(Range(0, kRead, 0, 9)).ok());
  EXPECT_THAT(answers_, ElementsAre("reader"));
}

TEST_F(LockTableTest, FlockAndRangeDoNotMeet) {
  ASSERT_TRUE(table_.Set(Flock(0, kWrite)).ok());
  EXPECT_TRUE(table_.Set(Range(1, kWrite, 0, kLockToEnd)).ok());
}

// ---- deadlock ----

TEST_F(LockTableTest, CycleOfThreeOwnersOverTwoFilesFailsEDEADLK) {
  ASSERT_TRUE(table_.Set(Range(0, kWrite, 0, 0)).ok());
  ASSERT_TRUE(table_.Set(Range(1, kWrite, 1, 1)).ok());
  ASSERT_TRUE(table_.Set(Range(2, kWrite, 0, 0, kOther)).ok());
  Wait(Range(0, kWrite, 1, 1), "zero");
  Wait(Range(1, kWrite, 0, 0, kOther), "one");
  Wait(Range(2, kWrite, 0, 0), "two");
  EXPECT_THAT(answers_, ElementsAre("two:EDEADLK"));
}

TEST_F(LockTableTest, UpgradeOfTwoReadersFailsEDEADLK) {
  ASSERT_TRUE(table_.Set(Range(0, kRead, 0, 9)).ok());
  ASSERT_TRUE(table_.Set(Range(1, kRead, 0, 9)).ok());
  Wait(Range(0, kWrite, 0, 9), "zero");
  Wait(Range(1, kWrite, 0, 9), "one");
  EXPECT_THAT(answers_, ElementsAre("one:EDEADLK"));
}

TEST_F(LockTableTest, OwnerWithAThreadThatRunsIsNotDeadlocked) {
  ASSERT_TRUE(table_.Set(Range(0, kWrite, 0, 0)).ok());
  ASSERT_TRUE(table_.Set(Range(1, kWrite, 1, 1)).ok());
  ASSERT_TRUE(table_.Set(Range(2, kWrite, 2, 2)).ok());
  Wait(Range(0, kWrite, 1, 1), "first thread");
  Wait(Range(0, kWrite, 2, 2), "second thread");  // of an owner that nothing stops
  Wait(Range(1, kWrite, 0, 0), "one");
  EXPECT_THAT(answers_, ElementsAre());
}

TEST_F(LockTableTest, OrderAloneMakesNoDeadlock) {
  // 2 queues behind 1 by order only; 0, which 1 waits for, may then wait for what 2 holds.
  auto elsewhere = Range(2, kWrite, 0, 9, kOther), behind = Range(2, kRead, 0, 9);
  elsewhere.lock.pid = behind.lock.pid = 77;
  ASSERT_TRUE(table_.Set(Range(0, kRead, 0, 9)).ok());
  ASSERT_TRUE(table_.Set(elsewhere).ok());
  Wait(Range(1, kWrite, 0, 9), "one");
  Wait(behind, "two");
  EXPECT_THAT(answers_, ElementsAre("two"));
  Wait(Range(0, kWrite, 0, 9, kOther), "zero");
  ASSERT_TRUE(table_.Set(Range(2, kNone, 0, 9, kOther)).ok());
  EXPECT_THAT(answers_, ElementsAre("two", "zero"));
}

TEST_F(LockTableTest, LongChainEndsTheSearch) {
  for (uint64_t i = 0; i < 300; ++i) {
    ASSERT_TRUE(table_.Set(Range(i, kWrite, i, i)).ok());
  }
  for (uint64_t i = 299; i > 0; --i) Wait(Range(i - 1, kWrite, i, i), "w");
  EXPECT_THAT(answers_, ElementsAre());
}

// ---- ends ----

TEST_F(LockTableTest, CancelledWaiterGetsEINTROnceAndMakesRoom) {
  ASSERT_TRUE(table_.Set(Range(0, kRead, 0, 9)).ok());
  const WaitId writer = Wait(Range(1, kWrite, 0, 9), "writer");
  Wait(Range(2, kRead, 0, 9), "reader");
  EXPECT_TRUE(table_.Cancel(writer));
  EXPECT_FALSE(table_.Cancel(writer));
  EXPECT_THAT(answers_, ElementsAre("writer:EINTR", "reader"));
}

TEST_F(LockTableTest, DropOpenKeepsWhatOtherOpensSet) {
  auto through_other = Range(0, kWrite, 20, 29);
  through_other.open = OpenId{99};
  ASSERT_TRUE(table_.Set(Range(0, kWrite, 0, 19)).ok());
  ASSERT_TRUE(table_.Set(through_other).ok());
  ASSERT_TRUE(table_.Set(Flock(0, kWrite)).ok());
  table_.DropOpen(kFile, kA, OpenId{0});
  EXPECT_EQ(table_.Test(Range(1, kRead, 0, 19)).type, kNone);
  EXPECT_EQ(table_.Test(Range(1, kRead, 20, 20)).type, kWrite);
  EXPECT_TRUE(table_.Set(Flock(1, kWrite)).ok());
}

TEST_F(LockTableTest, DropOpenEndsItsWaitsWithEBADF) {
  ASSERT_TRUE(table_.Set(Range(0, kWrite, 0, 9)).ok());
  Wait(Range(1, kWrite, 0, 9), "one");
  table_.DropOpen(kFile, kB, OpenId{1});
  EXPECT_THAT(answers_, ElementsAre("one:EBADF"));
}

TEST_F(LockTableTest, DropOwnerDropsRangesOnly) {
  ASSERT_TRUE(table_.Set(Range(0, kWrite, 0, 9)).ok());
  ASSERT_TRUE(table_.Set(Flock(0, kWrite)).ok());
  Wait(Range(1, kWrite, 0, 9), "range");
  Wait(Flock(1, kWrite), "flock");
  table_.DropOwner(kFile, kA, LockOwner{0});
  EXPECT_THAT(answers_, ElementsAre("range"));
}

TEST_F(LockTableTest, DropSessionFreesAllItHeldAndEndsItsWaits) {
  ASSERT_TRUE(table_.Set(Range(0, kWrite, 0, 9)).ok());
  ASSERT_TRUE(table_.Set(Range(1, kWrite, 0, 9, kOther)).ok());
  Wait(Range(0, kWrite, 0, 9, kOther), "of the ended");
  Wait(Range(3, kWrite, 0, 9), "of the other");
  EXPECT_THAT(table_.HoldersWaitedFor(), ::testing::UnorderedElementsAre(kA, kB));
  table_.DropSession(kA);
  EXPECT_THAT(answers_, ::testing::UnorderedElementsAre("of the ended:EINTR", "of the other"));
  EXPECT_EQ(table_.CountOf(kA), 0u);
}

TEST(LockTableLimitTest, LocksBeyondLimitFailENOLCKAndChangeNothing) {
  LockTable table({.locks_per_session = 3});
  const auto range = [](LockType type, uint64_t start, uint64_t end) {
    return LockRequest{.ino = kFile, .session = kA, .lock = {type, start, end}};
  };
  ASSERT_TRUE(table.Set(range(kWrite, 0, 9)).ok());
  ASSERT_TRUE(table.Set(range(kRead, 5, 5)).ok());  // three pieces now
  EXPECT_EQ(table.Set(range(kWrite, 20, 20)).code(), Errno::kENOLCK);
  EXPECT_EQ(table.Set(range(kNone, 2, 2)).code(), Errno::kENOLCK);  // would split
  EXPECT_TRUE(table.Set(range(kWrite, 5, 5)).ok());                 // merges to one
  EXPECT_EQ(table.CountOf(kA), 1u);
  EXPECT_TRUE(table.Set(range(kWrite, 20, 20)).ok());
  table.CheckInvariants();
}

TEST(LockTableLimitTest, WaitersBeyondLimitFailENOLCK) {
  LockTable table({.waiters_per_session = 1});
  const auto flock = [](uint64_t owner) {
    return LockRequest{.ino = kFile, .session = kA, .owner = LockOwner{owner},
                       .kind = LockKind::kFlock, .lock = {kWrite, 0, kLockToEnd}};
  };
  ASSERT_TRUE(table.Set(flock(0)).ok());
  std::vector<Errno> answers;
  const auto note = [&](Status s) { answers.push_back(s.code()); };
  table.SetOrWait(flock(1), note);
  table.SetOrWait(flock(2), note);
  EXPECT_THAT(answers, ElementsAre(Errno::kENOLCK));
  table.CancelAll();
}

TEST(LockTableRaceTest, GrantAndCancelAnswerEachWaitOnce) {
  LockTable table;
  std::atomic<int> granted{0}, cancelled{0}, inside{0};
  constexpr int kThreads = 4, kRounds = 300;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        LockRequest request{.ino = kFile, .session = kA, .owner = LockOwner{t},
                            .kind = LockKind::kFlock, .lock = {kWrite, 0, kLockToEnd}};
        Notification answered;
        Errno answer{};
        const WaitId wait = table.SetOrWait(request, [&](Status s) {
          answer = s.code();
          answered.Notify();
        });
        if (i % 2 == 0) table.Cancel(wait);
        answered.WaitForNotification();
        if (answer == Errno::kOk) {
          EXPECT_EQ(inside.fetch_add(1), 0) << "two holders at once";
          inside.fetch_sub(1);
          ++granted;
          request.lock.type = kNone;
          EXPECT_TRUE(table.Set(request).ok());
        } else {
          EXPECT_EQ(answer, Errno::kEINTR);
          ++cancelled;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(granted + cancelled, kThreads * kRounds);
  EXPECT_FALSE(table.HasWaiters());
  table.CheckInvariants();
}

}  // namespace
}  // namespace tarn::state
