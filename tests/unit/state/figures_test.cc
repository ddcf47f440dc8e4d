// The figures of a file system as something to be leased: who is granted them, beside changes.
#include "server/state/figures.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/limits.h"

namespace tarn::state {
namespace {

constexpr SessionId kA{1, 1}, kB{1, 2};

class FiguresTest : public ::testing::Test {
 protected:
  ~FiguresTest() override { table_.CheckInvariants(); }

  bool Grant(SessionId to) {
    std::vector<tarn::Grant> grants;
    const bool granted = figures_.Grant(to, now_, grants);
    EXPECT_EQ(grants.size(), granted ? 1u : 0u);
    return granted;
  }
  // True: nobody else holds them.
  bool Admit(SessionId by, TicketId& ticket) {
    std::vector<SessionId> recalled;
    return table_.Admit(by, {{.ino = kFigures}}, now_, ticket, recalled);
  }
  std::vector<TicketId> Answer(SessionId from) {
    std::vector<uint64_t> numbers;
    for (const OpenRecall& one : table_.RecallsOf(from, 0, 10)) numbers.push_back(one.number);
    return table_.Answer(from, numbers).ready;
  }

  LeaseTable table_;
  Figures figures_{table_};
  int64_t now_ = 100 * kSecondNanos;
};

TEST_F(FiguresTest, ChangeRecallsThemFromAllOthers) {
  EXPECT_TRUE(Grant(kA));
  EXPECT_TRUE(Grant(kB));
  TicketId ticket{};
  EXPECT_FALSE(Admit(kA, ticket));
  EXPECT_TRUE(table_.RecallsOf(kA, 0, 10).empty());
  EXPECT_FALSE(Grant(kB));  // reserved
  EXPECT_EQ(Answer(kB), std::vector{ticket});
  EXPECT_TRUE(Admit(kA, ticket));
  table_.Drop(ticket);
  EXPECT_TRUE(Grant(kB));
}

TEST_F(FiguresTest, NothingIsGrantedWhileAChangeIsUnderWay) {
  {
    const Figures::Change one(figures_);
    const Figures::Change other(figures_);
    EXPECT_FALSE(Grant(kA));
    EXPECT_TRUE(table_.empty());
  }
  EXPECT_TRUE(Grant(kA));
}

// Whoever holds them may be using them, so the next change must find it.
TEST_F(FiguresTest, WhatWasHeldStaysWhenItIsNotGrantedAgain) {
  EXPECT_TRUE(Grant(kA));
  {
    const Figures::Change change(figures_);
    EXPECT_FALSE(Grant(kA));
  }
  TicketId ticket{};
  EXPECT_FALSE(Admit(kB, ticket));
  EXPECT_EQ(table_.RecallsOf(kA, 0, 10).size(), 1u);
  table_.Drop(ticket);
}

TEST_F(FiguresTest, HolderThatDoesNotAnswerIsWaitedForAsLongAsTheyLast) {
  LeaseTable::Outcome outcome;
  EXPECT_EQ(figures_.Expire(now_, outcome), std::nullopt);
  EXPECT_TRUE(Grant(kA));
  TicketId ticket{};
  EXPECT_FALSE(Admit(kB, ticket));
  const auto next = figures_.Expire(now_ + kFiguresLeaseNanos, outcome);
  ASSERT_TRUE(next.has_value());
  EXPECT_GT(*next, now_ + kFiguresLeaseNanos);
  EXPECT_TRUE(outcome.ready.empty());
  const auto end = figures_.Expire(*next, outcome);
  EXPECT_EQ(outcome.ready, std::vector{ticket});
  EXPECT_TRUE(Answer(kA).empty());
  EXPECT_TRUE(Admit(kB, ticket));
  table_.Drop(ticket);
  EXPECT_TRUE(table_.empty());
  // And has none for a while, so that it is not waited for again and again.
  now_ = *next;
  EXPECT_FALSE(Grant(kA));
  EXPECT_TRUE(Grant(kB));
  EXPECT_EQ(end, now_ + Figures::kRefusedNanos);
  now_ = *end;
  EXPECT_EQ(figures_.Expire(now_, outcome), std::nullopt);
  EXPECT_TRUE(Grant(kA));
}

TEST_F(FiguresTest, WhatNobodyAskedBackEndsByItself) {
  LeaseTable::Outcome outcome;
  EXPECT_TRUE(Grant(kA));
  now_ = *figures_.Expire(now_, outcome);
  EXPECT_EQ(figures_.Expire(now_, outcome), std::nullopt);
  EXPECT_TRUE(table_.empty());
  EXPECT_TRUE(Grant(kA));
}

TEST_F(FiguresTest, TheyLastFromTheLatestGrant) {
  LeaseTable::Outcome outcome;
  EXPECT_TRUE(Grant(kA));
  const int64_t first = *figures_.Expire(now_, outcome);
  now_ += kSecondNanos;
  EXPECT_TRUE(Grant(kA));
  EXPECT_EQ(figures_.Expire(first, outcome), first + kSecondNanos);
  EXPECT_FALSE(table_.empty());
}

// One changes, another keeps what it is shown until it is recalled: after no change does it keep
// what was before.
TEST_F(FiguresTest, NobodyKeepsWhatHasChanged) {
  constexpr int kRecalls = 2'000;
  std::atomic<int> truth = 0, looked = 0;
  std::atomic<bool> over = false;
  Mutex mu;
  int recalls = 0, kept = -1;
  std::thread looks([&] {
    for (; !over.load(); ++looked) {
      int before = 0;
      {
        MutexLock lock(&mu);
        before = recalls;
      }
      std::vector<tarn::Grant> grants;
      const bool granted = figures_.Grant(kA, now_, grants);
      const int seen = truth.load();
      MutexLock lock(&mu);
      if (!granted || recalls != before) continue;
      kept = seen;
    }
  });
  int stale = 0;
  for (int i = 1, recalled = 0; recalled < kRecalls; ++i) {
    std::this_thread::yield();
    const Figures::Change under_way(figures_);
    TicketId ticket{};
    if (!Admit(kB, ticket)) {
      {
        MutexLock lock(&mu);
        recalled = ++recalls;
        kept = -1;
      }
      Answer(kA);
    }
    const int by_now = looked.load();
    while (looked.load() < by_now + 2) std::this_thread::yield();
    truth.store(i);
    {
      MutexLock lock(&mu);
      stale += kept != -1 && kept != i ? 1 : 0;
    }
    if (ticket != TicketId{}) table_.Drop(ticket);
  }
  over.store(true);
  looks.join();
  EXPECT_EQ(stale, 0);
}

}  // namespace
}  // namespace tarn::state
