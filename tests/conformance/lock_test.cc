// Advisory locks: fcntl ranges of processes, of open file descriptions, and flock.
#include <chrono>
#include <future>
#include <set>

#include "tests/conformance/fixture.h"
#include "tests/support/eventually.h"

namespace tarn::testing {
namespace {

// Two processes of two users with one file open for both.
class LockTest : public ConformanceTest {
 protected:
  void SetUp() override {
    ConformanceTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    Put("/f", "content", 0666);
    ASSERT_OK_AND_ASSIGN(a_, alice().Open("/f", O_RDWR));
    ASSERT_OK_AND_ASSIGN(b_, bob().Open("/f", O_RDWR));
  }

  Status Lock(Process& process, Fd fd, LockType type, uint64_t start = 0, uint64_t end = kLockToEnd,
              LockStyle style = LockStyle::kPosix) {
    return process.SetLock(fd, style, type, start, end, false);
  }
  // Asks and waits on a thread of its own.
  std::future<Status> LockLater(Process& process, Fd fd, LockType type, uint64_t start = 0,
                                uint64_t end = kLockToEnd, LockStyle style = LockStyle::kPosix) {
    return std::async(std::launch::async, [&process, fd, style, type, start, end] {
      return process.SetLock(fd, style, type, start, end, true);
    });
  }

  Fd a_{}, b_{};
};
INSTANTIATE_TEST_SUITE_P(Conformance, LockTest, ::testing::ValuesIn(SubjectKinds()),
                         [](const auto& info) { return info.param.name; });

// Long enough that a lock that is granted by mistake shows, short enough for a test.
constexpr std::chrono::milliseconds kMoment{100};

bool Waits(const std::future<Status>& lock) {
  return lock.wait_for(kMoment) == std::future_status::timeout;
}

TEST_P(LockTest, WriteLockExcludesEverybodyElse) {
  ASSERT_OK(Lock(alice(), a_, LockType::kWrite));
  EXPECT_ERROR(kEAGAIN, Lock(bob(), b_, LockType::kWrite));
  EXPECT_ERROR(kEAGAIN, Lock(bob(), b_, LockType::kRead));
  EXPECT_OK(Lock(alice(), a_, LockType::kRead));  // the owner may change it
  EXPECT_OK(Lock(bob(), b_, LockType::kRead));
  EXPECT_ERROR(kEAGAIN, Lock(alice(), a_, LockType::kWrite));
}

TEST_P(LockTest, RangesThatDoNotMeetDoNotConflict) {
  ASSERT_OK(Lock(alice(), a_, LockType::kWrite, 0, 9));
  EXPECT_OK(Lock(bob(), b_, LockType::kWrite, 10, 19));
  EXPECT_ERROR(kEAGAIN, Lock(bob(), b_, LockType::kWrite, 9, 9));
  EXPECT_ERROR(kEAGAIN, Lock(alice(), a_, LockType::kWrite, 5, kLockToEnd));
}

TEST_P(LockTest, UnlockSplitsARange) {
  ASSERT_OK(Lock(alice(), a_, LockType::kWrite, 0, 99));
  ASSERT_OK(Lock(alice(), a_, LockType::kUnlock, 40, 59));
  EXPECT_OK(Lock(bob(), b_, LockType::kWrite, 40, 59));
  EXPECT_ERROR(kEAGAIN, Lock(bob(), b_, LockType::kRead, 39, 39));
  EXPECT_ERROR(kEAGAIN, Lock(bob(), b_, LockType::kRead, 60, 60));
}

TEST_P(LockTest, GetLockShowsWhoIsInTheWay) {
  ASSERT_OK(Lock(alice(), a_, LockType::kWrite, 10, 19));
  ASSERT_OK_AND_ASSIGN(const FileLock lock, bob().GetLock(b_, LockType::kRead, 0, kLockToEnd));
  EXPECT_EQ(lock.type, LockType::kWrite);
  EXPECT_EQ(lock.start, 10u);
  EXPECT_EQ(lock.end, 19u);
  EXPECT_EQ(bob().GetLock(b_, LockType::kWrite, 20, 30)->type, LockType::kUnlock);
  EXPECT_EQ(alice().GetLock(a_, LockType::kWrite, 0, 100)->type, LockType::kUnlock);
}

TEST_P(LockTest, NeedsADescriptorOfItsKind) {
  ASSERT_OK_AND_ASSIGN(const Fd reader, alice().Open("/f", O_RDONLY));
  ASSERT_OK_AND_ASSIGN(const Fd writer, alice().Open("/f", O_WRONLY));
  EXPECT_ERROR(kEBADF, Lock(alice(), reader, LockType::kWrite));
  EXPECT_ERROR(kEBADF, Lock(alice(), writer, LockType::kRead));
  EXPECT_OK(Lock(alice(), reader, LockType::kRead));
}

TEST_P(LockTest, AnyCloseDropsTheProcesssLocksOnTheFile) {
  ASSERT_OK(Lock(alice(), a_, LockType::kWrite));
  ASSERT_OK_AND_ASSIGN(const Fd second, alice().Open("/f", O_RDONLY));
  ASSERT_OK(alice().Close(second));
  EXPECT_OK(Lock(bob(), b_, LockType::kWrite));
}

TEST_P(LockTest, OfdLockBelongsToItsDescriptor) {
  ASSERT_OK_AND_ASSIGN(const Fd second, alice().Open("/f", O_RDWR));
  ASSERT_OK(Lock(alice(), a_, LockType::kWrite, 0, 9, LockStyle::kOfd));
  EXPECT_ERROR(kEAGAIN, Lock(alice(), second, LockType::kWrite, 0, 9, LockStyle::kOfd));
  EXPECT_ERROR(kEAGAIN, Lock(bob(), b_, LockType::kRead, 5, 5));
  ASSERT_OK(alice().Close(second));
  EXPECT_ERROR(kEAGAIN, Lock(bob(), b_, LockType::kRead, 5, 5));
  ASSERT_OK(alice().Close(a_));
  // The kernel tells of the last close when it likes.
  EXPECT_TRUE(Eventually([&] { return Lock(bob(), b_, LockType::kRead, 5, 5).ok(); }));
}

TEST_P(LockTest, FlockIsSharedOrExclusiveAndApartFromRanges) {
  const auto flock = [&](Process& process, Fd fd, LockType type) {
    return Lock(process, fd, type, 0, kLockToEnd, LockStyle::kFlock);
  };
  ASSERT_OK(Lock(bob(), b_, LockType::kWrite));
  ASSERT_OK(flock(alice(), a_, LockType::kWrite));
  EXPECT_ERROR(kEAGAIN, flock(bob(), b_, LockType::kRead));
  EXPECT_ERROR(kEAGAIN, flock(bob(), b_, LockType::kWrite));
  ASSERT_OK(flock(alice(), a_, LockType::kRead));
  EXPECT_OK(flock(bob(), b_, LockType::kRead));
  EXPECT_ERROR(kEAGAIN, flock(alice(), a_, LockType::kWrite));
  ASSERT_OK(flock(bob(), b_, LockType::kUnlock));
  EXPECT_OK(flock(alice(), a_, LockType::kWrite));
}

TEST_P(LockTest, WaiterGetsTheLockWhenItIsFree) {
  for (const LockStyle style : {LockStyle::kPosix, LockStyle::kOfd, LockStyle::kFlock}) {
    ASSERT_OK(Lock(alice(), a_, LockType::kWrite, 0, kLockToEnd, style));
    auto waiter = LockLater(bob(), b_, LockType::kWrite, 0, kLockToEnd, style);
    EXPECT_TRUE(Waits(waiter));
    ASSERT_OK(Lock(alice(), a_, LockType::kUnlock, 0, kLockToEnd, style));
    EXPECT_OK(waiter.get());
    EXPECT_ERROR(kEAGAIN, Lock(alice(), a_, LockType::kRead, 0, kLockToEnd, style));
    ASSERT_OK(Lock(bob(), b_, LockType::kUnlock, 0, kLockToEnd, style));
  }
}

TEST_P(LockTest, WaiterIsInterruptible) {
  ASSERT_OK(Lock(alice(), a_, LockType::kWrite));
  auto waiter = LockLater(bob(), b_, LockType::kWrite);
  EXPECT_TRUE(Waits(waiter));
  EXPECT_TRUE(Eventually([&] {
    bob().Interrupt();
    return waiter.wait_for(std::chrono::milliseconds(1)) == std::future_status::ready;
  }));
  EXPECT_ERROR(kEINTR, waiter.get());
  ASSERT_OK(Lock(alice(), a_, LockType::kUnlock));
  EXPECT_OK(Lock(carol(), *carol().Open("/f", O_RDWR), LockType::kWrite));
}

TEST_P(LockTest, CycleOfWaitersFailsEDEADLK) {
  ASSERT_OK(Lock(alice(), a_, LockType::kWrite, 0, 0));
  ASSERT_OK(Lock(bob(), b_, LockType::kWrite, 1, 1));
  // Whoever asks last closes the cycle, gives up what it has, and so lets the other go on.
  const auto close = [this](Process& process, Fd fd, uint64_t mine, uint64_t other) {
    const Status status =
        process.SetLock(fd, LockStyle::kPosix, LockType::kWrite, other, other, true);
    EXPECT_OK(Lock(process, fd, LockType::kUnlock, mine, mine));
    return status.code();
  };
  auto alices = std::async(std::launch::async, [&] { return close(alice(), a_, 0, 1); });
  const Errno bobs = close(bob(), b_, 1, 0);
  EXPECT_EQ((std::multiset{alices.get(), bobs}),
            (std::multiset{Errno::kOk, Errno::kEDEADLK}));
}

TEST_P(LockTest, EndOfAProcessFreesItsLocks) {
  auto process = subject().Start(kCarol);
  ASSERT_OK_AND_ASSIGN(const Fd fd, process->Open("/f", O_RDWR));
  ASSERT_OK(process->SetLock(fd, LockStyle::kPosix, LockType::kWrite, 0, kLockToEnd, false));
  auto waiter = LockLater(alice(), a_, LockType::kWrite);
  EXPECT_TRUE(Waits(waiter));
  process.reset();
  EXPECT_OK(waiter.get());
}

}  // namespace
}  // namespace tarn::testing
