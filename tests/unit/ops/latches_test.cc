#include "server/ops/latches.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

#include "common/sync.h"

namespace tarn::ops {
namespace {

using Mode = LatchSet::Mode;
using Patience = LatchSet::Patience;

class LatchesTest : public ::testing::Test {
 protected:
  Latches latches_;
};

TEST_F(LatchesTest, ReachOutOfOrderFailsWhenHeldAndIsWantedNextTime) {
  LatchSet holder(latches_, Mode::kExclusive, Patience::kBrief, {5});
  ASSERT_TRUE(holder.Acquire());
  std::thread other([&] {
    LatchSet set(latches_, Mode::kExclusive, Patience::kBrief, {9});
    ASSERT_TRUE(set.Acquire());
    EXPECT_FALSE(set.Reach(5));
    EXPECT_TRUE(set.missed());
    EXPECT_TRUE(set.Reach(3));  // free: taken although out of order
    set.Release();
    EXPECT_EQ(set.wanted(), (LatchSet::Ranks{9, 5, 3}));
  });
  other.join();
}

TEST_F(LatchesTest, SharedHoldersDoNotExcludeEachOther) {
  LatchSet one(latches_, Mode::kShared, Patience::kBrief, {5});
  ASSERT_TRUE(one.Acquire());
  std::thread other([&] {
    LatchSet two(latches_, Mode::kShared, Patience::kBrief, {5});
    EXPECT_TRUE(two.Acquire());
  });
  other.join();
}

TEST_F(LatchesTest, SameStripeTwiceIsTakenOnce) {
  LatchSet set(latches_, Mode::kExclusive, Patience::kBrief, {7, 7});
  ASSERT_TRUE(set.Acquire());
  EXPECT_TRUE(set.Reach(7));
  set.Release();
  EXPECT_TRUE(set.Acquire());
}

TEST_F(LatchesTest, BriefSetDoesNotWaitForSlowHolder) {
  LatchSet slow(latches_, Mode::kExclusive, Patience::kLong, {5});
  ASSERT_TRUE(slow.Acquire());
  std::thread other([&] {
    LatchSet brief(latches_, Mode::kShared, Patience::kBrief, {4, 5});
    EXPECT_FALSE(brief.Acquire());
    LatchSet in_order(latches_, Mode::kShared, Patience::kBrief, {4});
    ASSERT_TRUE(in_order.Acquire());  // the one that failed holds nothing
    EXPECT_FALSE(in_order.Reach(5));
  });
  other.join();
  slow.Release();
  LatchSet brief(latches_, Mode::kShared, Patience::kBrief, {5});
  EXPECT_TRUE(brief.Acquire());
}

TEST_F(LatchesTest, InodesOfOneStripeShareARank) {
  EXPECT_EQ(Latches::RankOf(Ino{1}), Latches::RankOf(Ino{1 + Latches::kStripes}));
  EXPECT_NE(Latches::RankOf(Ino{1}), Latches::RankOf(Ino{2}));
  EXPECT_NE(Latches::RankOf(Ino{Latches::kStripes}), Latches::kRename);
}

// Many threads meet few stripes in any order: all come to an end, and exclusive holders are alone.
TEST_F(LatchesTest, ManyThreadsInAnyOrderNeitherDeadlockNorMeet) {
  constexpr int kThreads = 6, kRounds = 2000, kStripes = 5;
  int64_t plain[kStripes] = {};  // a race here is one that the sanitizer sees
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < kRounds; ++i) {
        const auto pick = [&] { return static_cast<Latches::Rank>(random() % kStripes); };
        const Latches::Rank a = pick(), b = pick(), c = pick();
        const bool writes = i % 4 != 0;
        LatchSet set(latches_, writes ? Mode::kExclusive : Mode::kShared,
                     t % 2 == 0 ? Patience::kBrief : Patience::kLong, {a});
        while (true) {
          if (!set.Acquire()) {
            std::this_thread::yield();
            continue;
          }
          if (set.Reach(b) && set.Reach(c)) break;
          set.Release();
        }
        for (Latches::Rank rank : {a, b, c}) {
          if (writes) {
            ++plain[rank];
          } else {
            EXPECT_GE(plain[rank], 0);
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int64_t sum = 0;
  for (int64_t n : plain) sum += n;
  EXPECT_EQ(sum, int64_t{kThreads} * kRounds * 3 * 3 / 4);
}

}  // namespace
}  // namespace tarn::ops
