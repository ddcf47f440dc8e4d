#include "client/cache/workers.h"

#include <gtest/gtest.h>

namespace tarn::cache {
namespace {

TEST(WorkersTest, FreeThreadIsFoundWhileOthersAreStuck) {
  Notification release, ran;
  Workers workers(4);
  workers.Post([&] { release.WaitForNotification(); });
  workers.Post([&] { release.WaitForNotification(); });
  workers.Post([&] { ran.Notify(); });
  ran.WaitForNotification();
  release.Notify();
}

TEST(WorkersTest, StuckTaskIsReportedWhileItGoesOn) {
  Notification release, reported;
  Workers workers(4);
  workers.PostWatched([&] { release.WaitForNotification(); }, absl::Milliseconds(1),
                      [&] { reported.Notify(); });
  reported.WaitForNotification();
  release.Notify();
}

TEST(WorkersTest, TaskThatEndsInTimeIsNotReported) {
  Notification second;
  bool reported = false;
  {
    Workers workers(1);
    workers.PostWatched([] {}, absl::Hours(1), [&] { reported = true; });
    workers.Post([&] { second.Notify(); });
    second.WaitForNotification();
  }
  EXPECT_FALSE(reported);
}

}  // namespace
}  // namespace tarn::cache
