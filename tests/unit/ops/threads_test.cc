#include <gtest/gtest.h>

#include <atomic>

#include "server/ops/housekeeper.h"
#include "server/ops/pool.h"

namespace tarn::ops {
namespace {

TEST(PoolTest, DestructorRunsWhatWasPosted) {
  std::atomic<int> ran{0};
  {
    Pool pool(2);
    for (int i = 0; i < 100; ++i) {
      pool.Post([&] {
        ++ran;
        if (ran <= 10) pool.Post([&] { ++ran; });
      });
    }
  }
  EXPECT_GE(ran, 100);
}

TEST(HousekeeperTest, RunsAtOnceThenWhenWokenThenWhenAsked) {
  Notification first, second, third;
  std::atomic<int> rounds{0};
  Housekeeper housekeeper([&] {
    switch (++rounds) {
      case 1: first.Notify(); return absl::InfiniteDuration();
      case 2: second.Notify(); return absl::Milliseconds(1);
      default: third.HasBeenNotified() ? void() : third.Notify(); return absl::InfiniteDuration();
    }
  });
  first.WaitForNotification();
  housekeeper.Wake();
  second.WaitForNotification();
  third.WaitForNotification();
  housekeeper.Stop();
  EXPECT_EQ(rounds, 3);
}

}  // namespace
}  // namespace tarn::ops
