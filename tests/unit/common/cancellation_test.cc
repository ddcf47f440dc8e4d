#include "common/cancellation.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

namespace tarn {
namespace {

TEST(CancellationTest, RunsItsHandlerOnce) {
  Cancellation cancellation;
  int runs = 0;
  cancellation.OnCancel([&] { ++runs; });
  EXPECT_FALSE(cancellation.cancelled());
  cancellation.Cancel();
  cancellation.Cancel();
  EXPECT_TRUE(cancellation.cancelled());
  EXPECT_EQ(runs, 1);
}

TEST(CancellationTest, HandlerThatComesLateRunsAtOnce) {
  Cancellation cancellation;
  cancellation.Cancel();
  int runs = 0;
  cancellation.OnCancel([&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

TEST(CancellationTest, ClearedHandlerNeverRuns) {
  Cancellation cancellation;
  int runs = 0;
  cancellation.OnCancel([&] { ++runs; });
  cancellation.Clear();
  cancellation.Cancel();
  EXPECT_EQ(runs, 0);
}

TEST(CancellationTest, HandlerMayClear) {
  Cancellation cancellation;
  cancellation.OnCancel([&] { cancellation.Clear(); });
  cancellation.Cancel();  // would deadlock if the handler ran under the lock
  EXPECT_TRUE(cancellation.cancelled());
}

TEST(CancellationTest, RaceOfCancelAndRegistrationRunsTheHandlerOnce) {
  for (int round = 0; round < 500; ++round) {
    Cancellation cancellation;
    std::atomic<int> runs{0};
    std::thread canceller([&] { cancellation.Cancel(); });
    cancellation.OnCancel([&] { ++runs; });
    canceller.join();
    ASSERT_EQ(runs, 1);
  }
}

}  // namespace
}  // namespace tarn
