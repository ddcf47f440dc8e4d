// Exclusive leases: who gets one, and what takes it away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/state/lease_table.h"

namespace tarn::state {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Want = LeaseTable::Want;

constexpr SessionId kA{1, 1}, kB{1, 2}, kC{1, 3};
constexpr Ino kFile{10};

class LeaseExclusiveTest : public ::testing::Test {
 protected:
  ~LeaseExclusiveTest() override { table_.CheckInvariants(); }

  LeaseMode Grant(SessionId to, Want want) {
    std::vector<tarn::Grant> grants;
    table_.Grant(to, {kFile}, want, now_, grants);
    table_.CheckInvariants();
    return grants.empty() ? LeaseMode::kNone : grants[0].mode;
  }
  // Two writes of a session that knows the file.
  LeaseMode WriteTwice(SessionId session) {
    Grant(session, Want::kCache);
    Grant(session, Want::kWrite);
    return Grant(session, Want::kWrite);
  }
  // True: nothing is in the way.
  bool Show(SessionId to, LeaseMode left, TicketId& ticket) {
    std::vector<SessionId> recalled;
    glimpsed_.clear();
    const bool free = table_.AdmitRead(to, {{kFile, left}}, now_, ticket, recalled, glimpsed_);
    table_.CheckInvariants();
    return free;
  }
  bool Change(SessionId by, TicketId& ticket) {
    std::vector<SessionId> recalled;
    return table_.Admit(by, {{.ino = kFile}}, now_, ticket, recalled);
  }
  OpenRecall Only(SessionId session) {
    const std::vector<OpenRecall> open = table_.RecallsOf(session, 0, 10);
    EXPECT_EQ(open.size(), 1u);
    return open.empty() ? OpenRecall{} : open[0];
  }

  LeaseTable table_;
  int64_t now_ = 100 * kSecondNanos;
  std::vector<Glimpsed> glimpsed_;
};

TEST_F(LeaseExclusiveTest, GrantedToWhoeverWritesAgainAlone) {
  EXPECT_EQ(Grant(kA, Want::kWrite), LeaseMode::kNone);  // holds nothing
  EXPECT_EQ(Grant(kA, Want::kCache), LeaseMode::kShared);
  EXPECT_EQ(Grant(kA, Want::kWrite), LeaseMode::kShared);
  EXPECT_EQ(Grant(kA, Want::kWrite), LeaseMode::kExclusive);
  // And not lowered by what it reads afterwards.
  EXPECT_EQ(Grant(kA, Want::kData), LeaseMode::kExclusive);
  EXPECT_TRUE(table_.IsExclusive(kFile, kA));
  EXPECT_FALSE(table_.IsExclusive(kFile, kB));
  EXPECT_TRUE(table_.IsExclusiveElsewhere(kFile, kB));
}

TEST_F(LeaseExclusiveTest, NotGrantedWhileAnybodyElseHoldsAnything) {
  Grant(kB, Want::kCache);
  EXPECT_EQ(WriteTwice(kA), LeaseMode::kShared);
  EXPECT_TRUE(table_.no_exclusive());
}

// A file that one writes and another reads by turns: what would be taken back unused is not given.
TEST_F(LeaseExclusiveTest, NotGrantedIfAnybodyElseWasGrantedAnythingBetweenTheWrites) {
  Grant(kA, Want::kCache);
  for (int turn = 0; turn < 5; ++turn) {
    EXPECT_EQ(Grant(kA, Want::kWrite), LeaseMode::kShared) << turn;
    EXPECT_EQ(Grant(kB, Want::kCache), LeaseMode::kShared) << turn;
    TicketId ticket{};
    ASSERT_FALSE(Change(kA, ticket));
    table_.Answer(kB, {Only(kB).number});
    ASSERT_TRUE(Change(kA, ticket));
    table_.Drop(ticket);
  }
  Grant(kA, Want::kWrite);
  EXPECT_EQ(Grant(kA, Want::kWrite), LeaseMode::kExclusive);
}

TEST_F(LeaseExclusiveTest, NothingIsGrantedBesideIt) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  for (const Want want : {Want::kCache, Want::kData, Want::kHeld, Want::kWrite}) {
    EXPECT_EQ(Grant(kB, want), LeaseMode::kNone);
  }
}

TEST_F(LeaseExclusiveTest, ReaderOfDataTakesTheRightToWriteAndNoMore) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  TicketId ticket{};
  ASSERT_FALSE(Show(kB, LeaseMode::kShared, ticket));
  const OpenRecall recall = Only(kA);
  EXPECT_EQ(recall.recall.to, LeaseMode::kShared);
  EXPECT_EQ(Grant(kA, Want::kWrite), LeaseMode::kNone);  // reserved
  EXPECT_THAT(table_.Answer(kA, {recall.number}).ready, ElementsAre(ticket));
  EXPECT_TRUE(Show(kB, LeaseMode::kShared, ticket));
  table_.Drop(ticket);
  EXPECT_EQ(Grant(kB, Want::kData), LeaseMode::kShared);
  EXPECT_TRUE(table_.IsHeld(kFile));
  EXPECT_EQ(WriteTwice(kA), LeaseMode::kShared);
}

TEST_F(LeaseExclusiveTest, HolderItselfIsShownEverything) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  TicketId ticket{};
  EXPECT_TRUE(Show(kA, LeaseMode::kShared, ticket));
  EXPECT_TRUE(Change(kA, ticket));
}

TEST_F(LeaseExclusiveTest, ChangeOfAnotherTakesEverything) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  TicketId ticket{};
  ASSERT_FALSE(Change(kB, ticket));
  const OpenRecall recall = Only(kA);
  EXPECT_EQ(recall.recall.to, LeaseMode::kNone);
  table_.Answer(kA, {recall.number});
  EXPECT_FALSE(table_.IsHeld(kFile));
  EXPECT_TRUE(table_.no_exclusive());
  EXPECT_TRUE(Change(kB, ticket));
  table_.Drop(ticket);
}

TEST_F(LeaseExclusiveTest, GlimpseShowsTheLengthAndLeavesTheLease) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  TicketId ticket{};
  ASSERT_FALSE(Show(kB, LeaseMode::kExclusive, ticket));
  const OpenRecall recall = Only(kA);
  EXPECT_EQ(recall.recall.to, LeaseMode::kExclusive);
  EXPECT_THAT(table_.AnswerGlimpses(kA, {{{recall.number, 77, Timestamp{5}}}}).ready,
              ElementsAre(ticket));
  ASSERT_TRUE(Show(kB, LeaseMode::kExclusive, ticket));
  ASSERT_EQ(glimpsed_.size(), 1u);
  EXPECT_EQ(glimpsed_[0].size, 77u);
  EXPECT_EQ(glimpsed_[0].mtime, Timestamp{5});
  table_.Drop(ticket);
  EXPECT_TRUE(table_.IsExclusive(kFile, kA));
  EXPECT_EQ(Grant(kB, Want::kCache), LeaseMode::kNone);
}

TEST_F(LeaseExclusiveTest, GlimpseIsOfItsMomentOnly) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  TicketId first{}, second{};
  ASSERT_FALSE(Show(kB, LeaseMode::kExclusive, first));
  const uint64_t number = Only(kA).number;
  ASSERT_FALSE(Show(kC, LeaseMode::kExclusive, second));
  EXPECT_THAT(table_.RecallsOf(kA, number, 10), ::testing::SizeIs(1));  // asked for itself
  table_.AnswerGlimpses(kA, {{{number, 77, Timestamp{5}}}});
  // The lease goes before the request goes on: what the store says is true.
  table_.DropSession(kA);
  EXPECT_TRUE(Show(kB, LeaseMode::kExclusive, first));
  EXPECT_THAT(glimpsed_, IsEmpty());
  table_.Drop(first);
  table_.Drop(second);
}

TEST_F(LeaseExclusiveTest, GlimpseAnsweredAsARecallGivesUpTheRightToWrite) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  TicketId ticket{};
  ASSERT_FALSE(Show(kB, LeaseMode::kExclusive, ticket));
  table_.Answer(kA, {Only(kA).number});
  EXPECT_TRUE(table_.no_exclusive());
  EXPECT_TRUE(Show(kB, LeaseMode::kExclusive, ticket));
  EXPECT_THAT(glimpsed_, IsEmpty());
  table_.Drop(ticket);
}

TEST_F(LeaseExclusiveTest, GlimpseDoesNotAnswerARecall) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  TicketId ticket{};
  ASSERT_FALSE(Show(kB, LeaseMode::kShared, ticket));
  table_.AnswerGlimpses(kA, {{{Only(kA).number, 77, Timestamp{5}}}});
  EXPECT_FALSE(table_.no_exclusive());
  EXPECT_EQ(Only(kA).recall.to, LeaseMode::kShared);
  table_.Drop(ticket);
}

TEST_F(LeaseExclusiveTest, SecondReaderWaitsForTheSameRecall) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  TicketId first{}, second{};
  ASSERT_FALSE(Show(kB, LeaseMode::kShared, first));
  ASSERT_FALSE(Show(kC, LeaseMode::kExclusive, second));
  const OpenRecall recall = Only(kA);
  EXPECT_THAT(table_.Answer(kA, {recall.number}).ready, ElementsAre(first, second));
  table_.Drop(first);
  table_.Drop(second);
}

TEST_F(LeaseExclusiveTest, FileWrittenAndReadInTurnsIsNotGrantedForWriting) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  for (int turn = 0; turn < Heat::kHotTurns; ++turn) {
    TicketId ticket{};
    if (!Show(kB, LeaseMode::kShared, ticket)) table_.Answer(kA, {Only(kA).number});
    table_.Drop(ticket);
    Grant(kB, Want::kHeld);  // as after each read
    ticket = {};
    ASSERT_TRUE(Change(kA, ticket));
    WriteTwice(kA);
  }
  EXPECT_TRUE(table_.no_exclusive());
  now_ += 2 * Heat::kHotNanos;
  EXPECT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
}

class HotFileTest : public LeaseExclusiveTest {
 protected:
  // Changed by two sessions in turns, held by nobody.
  void SetUp() override {
    for (int turn = 0; turn <= Heat::kHotTurns; ++turn) {
      const bool even = turn % 2 == 0;
      Grant(even ? kB : kA, Want::kCache);
      TicketId ticket{};
      ASSERT_FALSE(Change(even ? kA : kB, ticket));
      table_.Answer(even ? kB : kA, {Only(even ? kB : kA).number});
      table_.Drop(ticket);
    }
    ASSERT_EQ(Grant(kA, Want::kCache), LeaseMode::kNone);
    ASSERT_EQ(Grant(kB, Want::kCache), LeaseMode::kNone);
  }
  // `session` has waited for kA's exclusive lease.
  TicketId TakeOver(SessionId session) {
    TicketId ticket{};
    EXPECT_FALSE(Change(session, ticket));
    table_.Answer(kA, {Only(kA).number});
    return ticket;
  }
};

TEST_F(HotFileTest, IsExclusivelyWhoseWritesFollowEachOther) {
  for (int i = 1; i < Heat::kWritesOnEnd; ++i) {
    EXPECT_EQ(Grant(kA, Want::kWrite), LeaseMode::kNone) << i;
  }
  EXPECT_EQ(Grant(kA, Want::kWrite), LeaseMode::kExclusive);
}

TEST_F(HotFileTest, IsNobodysWhileOneLooksAndTheOtherWrites) {
  for (const Want look : {Want::kCache, Want::kHeld, Want::kWrite}) {
    for (int i = 0; i < 2 * Heat::kWritesOnEnd; ++i) {
      EXPECT_EQ(Grant(kA, Want::kWrite), LeaseMode::kNone) << i;
      EXPECT_EQ(Grant(kB, look), LeaseMode::kNone) << i;
    }
  }
}

TEST_F(HotFileTest, IsTakenOverByWhoeverHasWaitedForAnExclusiveHolder) {
  ASSERT_EQ(Grant(kA, Want::kTurn), LeaseMode::kExclusive);
  const TicketId ticket = TakeOver(kB);
  EXPECT_TRUE(table_.TookOver(ticket));
  table_.Drop(ticket);
  EXPECT_EQ(Grant(kB, Want::kTurn), LeaseMode::kExclusive);
  EXPECT_FALSE(table_.TookOver(ticket));  // it is over
}

TEST_F(HotFileTest, IsNotTakenOverWhileOthersWaitOrHoldAnything) {
  ASSERT_EQ(Grant(kA, Want::kTurn), LeaseMode::kExclusive);
  const TicketId ticket = TakeOver(kB);
  EXPECT_EQ(Grant(kB, Want::kTurn), LeaseMode::kNone);  // reserved
  table_.Drop(ticket);
  ASSERT_EQ(Grant(kC, Want::kData), LeaseMode::kShared);
  EXPECT_EQ(Grant(kB, Want::kTurn), LeaseMode::kNone);
}

TEST_F(LeaseExclusiveTest, WaitForASharedHolderTakesNothingOver) {
  ASSERT_EQ(Grant(kA, Want::kCache), LeaseMode::kShared);
  TicketId ticket{};
  ASSERT_FALSE(Change(kB, ticket));
  EXPECT_FALSE(table_.TookOver(ticket));
  table_.Drop(ticket);
}

TEST_F(LeaseExclusiveTest, ReclaimedOnlyIfNobodyElseHas) {
  EXPECT_TRUE(table_.ReclaimExclusive(kA, kFile));
  EXPECT_TRUE(table_.ReclaimExclusive(kA, kFile));
  EXPECT_FALSE(table_.ReclaimExclusive(kB, kFile));
  table_.CheckInvariants();
  EXPECT_TRUE(table_.IsExclusive(kFile, kA));
  table_.DropSession(kA);
  EXPECT_TRUE(table_.ReclaimExclusive(kB, kFile));
}

TEST_F(LeaseExclusiveTest, ReturnAndEndOfTheSessionEndIt) {
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  table_.Return(kA, {{{kFile, UINT64_MAX}}});
  EXPECT_TRUE(table_.no_exclusive());
  ASSERT_EQ(WriteTwice(kA), LeaseMode::kExclusive);
  TicketId ticket{};
  ASSERT_FALSE(Show(kB, LeaseMode::kShared, ticket));
  EXPECT_THAT(table_.DropSession(kA).ready, ElementsAre(ticket));
  EXPECT_TRUE(table_.no_exclusive());
  table_.Drop(ticket);
}

}  // namespace
}  // namespace tarn::state
