#include "client/fuse/interrupts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>

#include "tests/support/eventually.h"

namespace tarn::fuse {
namespace {

// The lines of /proc/TID/status that matter, among others.
std::string Status(const char* own, const char* shared, const char* blocked, const char* ignored,
                   const char* caught) {
  return std::string("Name:\tcat\nGroups:\t0 4 24 \nSigQ:\t0/1\nSigPnd:\t") + own + "\nShdPnd:\t" +
         shared + "\nSigBlk:\t" + blocked + "\nSigIgn:\t" + ignored + "\nSigCgt:\t" + caught +
         "\nCapInh:\t0000000000000000\n";
}
constexpr char kNone[] = "0000000000000000";
constexpr char kInt[] = "0000000000000002";
constexpr char kKill[] = "0000000000000100";
constexpr char kAlarm[] = "0000000000002000";
constexpr char kChild[] = "0000000000010000";
constexpr char kQuit[] = "0000000000000004";

TEST(StatusShowsDeath, NoPendingSignalIsNone) {
  EXPECT_FALSE(StatusShowsDeath(Status(kNone, kNone, kNone, kNone, kNone)));
}
TEST(StatusShowsDeath, PendingKillIs) {
  EXPECT_TRUE(StatusShowsDeath(Status(kKill, kInt, kNone, kNone, kInt)));
}
TEST(StatusShowsDeath, CaughtTimerIsNone) {
  EXPECT_FALSE(StatusShowsDeath(Status(kNone, kAlarm, kNone, kNone, kAlarm)));
}
TEST(StatusShowsDeath, UncaughtTimerIs) {
  EXPECT_TRUE(StatusShowsDeath(Status(kNone, kAlarm, kNone, kNone, kNone)));
}
TEST(StatusShowsDeath, BlockedOrIgnoredSignalIsNone) {
  EXPECT_FALSE(StatusShowsDeath(Status(kNone, kInt, kInt, kNone, kNone)));
  EXPECT_FALSE(StatusShowsDeath(Status(kNone, kInt, kNone, kInt, kNone)));
}
TEST(StatusShowsDeath, EndOfAChildIsNone) {
  EXPECT_FALSE(StatusShowsDeath(Status(kNone, kChild, kNone, kNone, kNone)));
}
TEST(StatusShowsDeath, UncaughtQuitIs) {
  EXPECT_TRUE(StatusShowsDeath(Status(kNone, kQuit, kNone, kNone, kNone)));
}
TEST(StatusShowsDeath, IncompleteTextIsNone) {
  EXPECT_FALSE(StatusShowsDeath(""));
  EXPECT_FALSE(StatusShowsDeath("Name:\tcat\nSigPnd:\t0000000000000100\n"));
}

TEST(StatShowsKilled, OneThatASignalHasEndedIs) {
  EXPECT_TRUE(StatShowsKilled("7 (cat) D 1 7 7 0 -1 4195588 90 0"));
  EXPECT_TRUE(StatShowsKilled("7 (a) S (b) D 1 7 7 0 -1 1024 90 0"));
}
TEST(StatShowsKilled, OneThatRunsOrExitsIsNot) {
  EXPECT_FALSE(StatShowsKilled("7 (cat) S 1 7 7 0 -1 4194304 90 0"));
  EXPECT_FALSE(StatShowsKilled("7 (cat) S 1 7 7 0 -1 4194308 90 0"));
}
TEST(StatShowsKilled, IncompleteTextIsNot) {
  EXPECT_FALSE(StatShowsKilled(""));
  EXPECT_FALSE(StatShowsKilled("7 (cat) S 1 7 7 0 -1"));
  EXPECT_FALSE(StatShowsKilled("7 (cat) S 1 7 7 0 -1 x 90"));
}

TEST(IsDying, LivingThreadIsNot) {
  EXPECT_FALSE(IsDying(gettid()));
}
TEST(IsDying, UnknownThreadIsNot) {
  EXPECT_FALSE(IsDying(0));
  EXPECT_FALSE(IsDying(-1));
}

class InterrupterTest : public ::testing::Test {
 protected:
  // A call that tells when it was cancelled.
  std::shared_ptr<Cancellation> MakeCall(Notification& cancelled) {
    auto call = std::make_shared<Cancellation>();
    call->OnCancel([&cancelled] { cancelled.Notify(); });
    return call;
  }
};

TEST_F(InterrupterTest, AnySignalCancelsALockWait) {
  Interrupter interrupter([](pid_t) { return false; });
  Notification cancelled;
  auto call = MakeCall(cancelled);
  interrupter.Push(call, 1, Interruption::kAny);
  EXPECT_TRUE(cancelled.WaitForNotificationWithTimeout(absl::Seconds(10)));
}

TEST_F(InterrupterTest, OtherCallIsCancelledOnceItsProcessDies) {
  std::atomic<int> asked = 0;
  Interrupter interrupter([&](pid_t) { return ++asked == 3; }, absl::Milliseconds(1));
  Notification cancelled;
  auto call = MakeCall(cancelled);
  interrupter.Push(call, 1, Interruption::kDeath);
  EXPECT_TRUE(cancelled.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_EQ(asked, 3);
}

TEST_F(InterrupterTest, WatchedCallIsCancelledOnceItsProcessDies) {
  std::atomic<bool> dies = false;
  std::atomic<int> asked = 0;
  Interrupter interrupter(
      [&](pid_t) {
        ++asked;
        return dies.load();
      },
      absl::Milliseconds(1));
  Notification cancelled, other_cancelled;
  auto call = MakeCall(cancelled), over = MakeCall(other_cancelled);
  interrupter.Watch(call, 1);
  interrupter.Watch(over, 1);
  over.reset();
  EXPECT_TRUE(testing::Eventually([&] { return asked >= 3; }));
  dies = true;
  EXPECT_TRUE(cancelled.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_FALSE(other_cancelled.HasBeenNotified());
}

TEST_F(InterrupterTest, FinishedCallIsLeftAlone) {
  std::atomic<int> asked = 0;
  Notification cancelled, other_cancelled;
  {
    Interrupter interrupter([&](pid_t) { return ++asked > 0; });
    auto other = MakeCall(other_cancelled);
    interrupter.Push(std::weak_ptr<Cancellation>(), 1, Interruption::kDeath);
    interrupter.Push(other, 1, Interruption::kAny);
    EXPECT_TRUE(other_cancelled.WaitForNotificationWithTimeout(absl::Seconds(10)));
  }
  EXPECT_EQ(asked, 0);
}

}  // namespace
}  // namespace tarn::fuse
