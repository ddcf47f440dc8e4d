#include "server/state/awake_clock.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace tarn::state {
namespace {

class AwakeClockTest : public ::testing::Test {
 protected:
  testing::FakeClock below_;
  AwakeClock clock_{below_};
};

TEST_F(AwakeClockTest, GoesAsTheOneBelowWhileItIsRead) {
  const int64_t start = clock_.BootNanos();
  for (int i = 0; i < 100; ++i) {
    below_.Advance(kSecondNanos);
    (void)clock_.BootNanos();
  }
  EXPECT_EQ(clock_.BootNanos() - start, 100 * kSecondNanos);
}

TEST_F(AwakeClockTest, LongPauseCountsAsAShortOne) {
  const int64_t start = clock_.BootNanos();
  below_.Advance(3600 * kSecondNanos);
  EXPECT_EQ(clock_.BootNanos() - start, AwakeClock::kGapNanos);
  below_.Advance(kSecondNanos);
  EXPECT_EQ(clock_.BootNanos() - start, AwakeClock::kGapNanos + kSecondNanos);
  below_.Advance(1000 * kSecondNanos);
  EXPECT_EQ(clock_.BootNanos() - start, 2 * AwakeClock::kGapNanos + kSecondNanos);
}

TEST_F(AwakeClockTest, TimeOfDayIsThatOfTheOneBelow) {
  below_.Advance(3600 * kSecondNanos);
  EXPECT_EQ(clock_.Now().ns, below_.Now().ns);
}

}  // namespace
}  // namespace tarn::state
