// Which change recalls what from whom, what is granted meanwhile, and who waits for whom.
#include "server/state/lease_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace tarn::state {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Want = LeaseTable::Want;

constexpr SessionId kA{1, 1}, kB{1, 2}, kC{1, 3};
constexpr Ino kFile{10}, kDir{20}, kOther{30};

// A recall in short: "10" everything, "20:a,b" a directory's attributes, listing and these names.
std::string Short(const Recall& recall) {
  std::string out = std::to_string(Raw(recall.ino));
  if (recall.to == LeaseMode::kNone) return out;
  out += ":";
  for (size_t i = 0; i < recall.names.size(); ++i) out += (i > 0 ? "," : "") + recall.names[i];
  return out;
}

class LeaseTableTest : public ::testing::Test {
 protected:
  ~LeaseTableTest() override { table_.CheckInvariants(); }

  // What was granted of the inodes asked for.
  std::vector<Ino> Give(SessionId to, std::vector<Ino> inodes, Want want = Want::kCache) {
    std::vector<Grant> grants;
    table_.Grant(to, inodes, want, now_, grants);
    table_.CheckInvariants();
    std::vector<Ino> out;
    for (const Grant& grant : grants) {
      EXPECT_EQ(grant.mode, LeaseMode::kShared);
      EXPECT_GT(grant.sequence, last_sequence_);
      last_sequence_ = grant.sequence;
      out.push_back(grant.ino);
    }
    return out;
  }
  static LeaseChange File(Ino ino) { return {.ino = ino}; }
  static LeaseChange Dir(Ino ino, std::initializer_list<std::string_view> names) {
    return {.ino = ino, .directory = true, .names = names};
  }
  // True: nothing is in the way.
  bool Admit(SessionId by, const LeaseChanges& changes, TicketId& ticket) {
    recalled_.clear();
    const bool free = table_.Admit(by, changes, now_, ticket, recalled_);
    table_.CheckInvariants();
    return free;
  }
  bool Admit(SessionId by, const LeaseChanges& changes) {
    TicketId ticket{};
    const bool free = Admit(by, changes, ticket);
    if (!free) tickets_.push_back(ticket);
    return free;
  }
  std::vector<std::string> Recalls(SessionId session) const {
    std::vector<std::string> out;
    for (const OpenRecall& one : table_.RecallsOf(session, 0, 100)) {
      out.push_back(Short(one.recall));
    }
    return out;
  }
  LeaseTable::Outcome AnswerAll(SessionId session) {
    std::vector<uint64_t> numbers;
    for (const OpenRecall& one : table_.RecallsOf(session, 0, 100)) numbers.push_back(one.number);
    auto out = table_.Answer(session, numbers);
    table_.CheckInvariants();
    return out;
  }

  LeaseTable table_{1, 3};
  int64_t now_ = 100 * kSecondNanos;
  uint64_t last_sequence_ = 0;
  std::vector<SessionId> recalled_;
  std::vector<TicketId> tickets_;
};

// ---- which change recalls what from whom ----

TEST_F(LeaseTableTest, ChangeRecallsWhatTheTableSays) {
  struct Row {
    const char* what;
    SessionId holder;
    Ino held;
    LeaseChange change;  // made by kA
    std::vector<std::string> recalled;
  };
  const Row rows[] = {
      {"a file of somebody else: everything", kB, kFile, File(kFile), {"10"}},
      {"a file of its own: nothing", kA, kFile, File(kFile), {}},
      {"another file: nothing", kB, kOther, File(kFile), {}},
      {"a directory's record: attributes and listing", kB, kDir, Dir(kDir, {}), {"20:"}},
      {"a name: it too", kB, kDir, Dir(kDir, {"a"}), {"20:a"}},
      {"two names: both", kB, kDir, Dir(kDir, {"a", "b"}), {"20:a,b"}},
      {"a directory of its own: nothing", kA, kDir, Dir(kDir, {"a"}), {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    LeaseTable table;
    std::vector<Grant> grants;
    table.Grant(row.holder, {row.held}, Want::kCache, now_, grants);
    ASSERT_EQ(grants.size(), 1u);
    TicketId ticket{};
    std::vector<SessionId> recalled;
    EXPECT_EQ(table.Admit(kA, {row.change}, now_, ticket, recalled), row.recalled.empty());
    std::vector<std::string> all;
    for (const OpenRecall& one : table.RecallsOf(row.holder, 0, 9)) {
      all.push_back(Short(one.recall));
    }
    EXPECT_EQ(all, row.recalled);
    EXPECT_EQ(recalled.size(), row.recalled.size());
  }
}

TEST_F(LeaseTableTest, ChangeRecallsAllConflictsAtOnce) {
  Give(kB, {kFile, kDir});
  Give(kC, {kDir, kOther});
  EXPECT_FALSE(Admit(kA, {File(kFile), Dir(kDir, {"x"})}));
  EXPECT_THAT(recalled_, UnorderedElementsAre(kB, kC));
  EXPECT_THAT(Recalls(kB), ElementsAre("10", "20:x"));
  EXPECT_THAT(Recalls(kC), ElementsAre("20:x"));
}

TEST_F(LeaseTableTest, DirectoryStaysHeldAfterItsNamesWereGivenBackAndIsAskedAboutOthers) {
  Give(kB, {kDir});
  TicketId ticket{};
  EXPECT_FALSE(Admit(kA, {Dir(kDir, {"a"})}, ticket));
  EXPECT_THAT(AnswerAll(kB).ready, ElementsAre(ticket));
  EXPECT_TRUE(table_.IsHeld(kDir));
  EXPECT_TRUE(Admit(kA, {Dir(kDir, {"a"})}, ticket));
  // The second attempt has come to another name.
  EXPECT_FALSE(Admit(kA, {Dir(kDir, {"b"})}, ticket));
  EXPECT_THAT(Recalls(kB), ElementsAre("20:b"));
  EXPECT_THAT(AnswerAll(kB).ready, ElementsAre(ticket));
  EXPECT_TRUE(Admit(kA, {Dir(kDir, {"b"})}, ticket));
  table_.Drop(ticket);
  // Whoever comes next asks anew: the holder may know more by then.
  EXPECT_FALSE(Admit(kA, {Dir(kDir, {"a"})}));
}

TEST_F(LeaseTableTest, FileIsFreeOnceItWasGivenBack) {
  Give(kB, {kFile});
  TicketId ticket{};
  EXPECT_FALSE(Admit(kA, {File(kFile)}, ticket));
  const auto outcome = AnswerAll(kB);
  EXPECT_THAT(outcome.ready, ElementsAre(ticket));
  EXPECT_THAT(outcome.free, ElementsAre(kFile));
  EXPECT_FALSE(table_.IsHeld(kFile));
  EXPECT_TRUE(Admit(kA, {File(kFile)}, ticket));
  table_.Drop(ticket);
  EXPECT_TRUE(table_.empty());
}

TEST_F(LeaseTableTest, IdleHolderOfADirectoryLosesItWhole) {
  Give(kB, {kDir});
  for (int i = 0; i < LeaseTable::kIdleRecalls; ++i) {
    EXPECT_FALSE(Admit(kA, {Dir(kDir, {"a"})}));
    EXPECT_THAT(Recalls(kB), ElementsAre("20:a"));
    AnswerAll(kB);
    table_.Drop(tickets_.back());
  }
  EXPECT_FALSE(Admit(kA, {Dir(kDir, {"a"})}));
  EXPECT_THAT(Recalls(kB), ElementsAre("20"));
  AnswerAll(kB);
  table_.Drop(tickets_.back());
  EXPECT_TRUE(Admit(kA, {Dir(kDir, {"a"})}));
}

TEST_F(LeaseTableTest, HolderThatUsesADirectoryKeepsIt) {
  for (int i = 0; i < 3 * LeaseTable::kIdleRecalls; ++i) {
    EXPECT_THAT(Give(kB, {kDir}), ElementsAre(kDir));
    EXPECT_FALSE(Admit(kA, {Dir(kDir, {"a"})}));
    EXPECT_THAT(Recalls(kB), ElementsAre("20:a"));
    AnswerAll(kB);
    table_.Drop(tickets_.back());
  }
}

// ---- what is granted meanwhile ----

TEST_F(LeaseTableTest, NothingIsGrantedWhileReservedOrBeingRecalled) {
  Give(kB, {kDir});
  TicketId ticket{};
  EXPECT_FALSE(Admit(kA, {Dir(kDir, {"a"}), File(kFile)}, ticket));
  for (const SessionId session : {kA, kB, kC}) {
    EXPECT_THAT(Give(session, {kDir, kFile}), IsEmpty());
    EXPECT_THAT(Give(session, {kDir, kFile}, Want::kData), IsEmpty());
  }
  AnswerAll(kB);
  EXPECT_THAT(Give(kC, {kDir, kFile}), IsEmpty()) << "still reserved";
  table_.Drop(ticket);
  EXPECT_THAT(Give(kC, {kDir, kFile}), ElementsAre(kDir, kFile));
}

TEST_F(LeaseTableTest, RecallStaysOpenWhenItsChangeIsGivenUp) {
  Give(kB, {kFile});
  TicketId ticket{};
  EXPECT_FALSE(Admit(kA, {File(kFile)}, ticket));
  EXPECT_THAT(table_.Drop(ticket), IsEmpty());
  table_.CheckInvariants();
  EXPECT_THAT(Give(kC, {kFile}), IsEmpty());
  EXPECT_THAT(AnswerAll(kB).ready, IsEmpty());
  EXPECT_THAT(Give(kC, {kFile}), ElementsAre(kFile));
}

TEST_F(LeaseTableTest, WhatIsHeldAlreadyIsGrantedAgainOnly) {
  EXPECT_THAT(Give(kA, {kFile}, Want::kHeld), IsEmpty());
  Give(kA, {kFile});
  EXPECT_THAT(Give(kA, {kFile, kOther}, Want::kHeld), ElementsAre(kFile));
}

TEST_F(LeaseTableTest, SessionAtItsLimitIsGrantedOnlyWhatItHolds) {
  EXPECT_THAT(Give(kA, {Ino{1}, Ino{2}, Ino{3}, Ino{4}}),
              ElementsAre(Ino{1}, Ino{2}, Ino{3}));
  EXPECT_THAT(Give(kA, {Ino{4}, Ino{2}}), ElementsAre(Ino{2}));
  EXPECT_THAT(Give(kB, {Ino{4}}), ElementsAre(Ino{4}));
  table_.Return(kA, {{LeaseReturn{Ino{1}, last_sequence_}}});
  EXPECT_THAT(Give(kA, {Ino{4}}), ElementsAre(Ino{4}));
}

TEST_F(LeaseTableTest, InodeChangedInTurnsIsHotUntilItCalmsDown) {
  const auto change = [&](SessionId by) {
    TicketId ticket{};
    while (!Admit(by, {File(kFile)}, ticket)) {
      for (const SessionId holder : recalled_) AnswerAll(holder);
    }
    table_.Drop(ticket);
  };
  for (const SessionId by : {kA, kB, kA}) {
    EXPECT_THAT(Give(kC, {kFile}), ElementsAre(kFile));
    change(by);
  }
  EXPECT_THAT(Give(kC, {kFile}), IsEmpty());
  EXPECT_THAT(Give(kC, {kFile}, Want::kData), ElementsAre(kFile));
  now_ += Heat::kHotNanos / 2;
  change(kB);  // it goes on
  now_ += Heat::kHotNanos;
  EXPECT_THAT(Give(kC, {kFile}), IsEmpty());
  now_ += 1;
  EXPECT_THAT(Give(kC, {kFile}), ElementsAre(kFile));
}

TEST_F(LeaseTableTest, InodeChangedByOneSessionDoesNotBecomeHot) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(Give(kC, {kFile}), ElementsAre(kFile));
    EXPECT_FALSE(Admit(kA, {File(kFile)}));
    AnswerAll(kC);
    table_.Drop(tickets_.back());
  }
}

// ---- answers and returns ----

TEST_F(LeaseTableTest, ChangeWaitsForEveryAnswer) {
  Give(kB, {kFile, kOther});
  Give(kC, {kFile});
  EXPECT_FALSE(Admit(kA, {File(kFile), File(kOther)}));
  EXPECT_THAT(AnswerAll(kB).ready, IsEmpty());
  EXPECT_THAT(AnswerAll(kC).ready, ElementsAre(tickets_[0]));
}

TEST_F(LeaseTableTest, ChangesShareARecall) {
  Give(kC, {kFile});
  EXPECT_FALSE(Admit(kA, {File(kFile)}));
  EXPECT_FALSE(Admit(kB, {File(kFile)}));
  EXPECT_THAT(recalled_, IsEmpty());
  EXPECT_THAT(Recalls(kC), ElementsAre("10"));
  EXPECT_THAT(AnswerAll(kC).ready, ElementsAre(tickets_[0], tickets_[1]));
}

TEST_F(LeaseTableTest, OpenRecallOfANameCoversThatNameOnly) {
  Give(kC, {kDir});
  EXPECT_FALSE(Admit(kA, {Dir(kDir, {"a", "b"})}));
  EXPECT_FALSE(Admit(kA, {Dir(kDir, {"b"})}));
  EXPECT_THAT(Recalls(kC), ElementsAre("20:a,b"));
  EXPECT_FALSE(Admit(kA, {Dir(kDir, {"c"})}));
  EXPECT_THAT(Recalls(kC), ElementsAre("20:a,b", "20:c"));
}

TEST_F(LeaseTableTest, UnknownAndRepeatedAnswersAreIgnored) {
  Give(kB, {kFile});
  EXPECT_FALSE(Admit(kA, {File(kFile)}));
  const uint64_t number = table_.RecallsOf(kB, 0, 1).front().number;
  EXPECT_THAT(table_.Answer(kB, {number + 1, number - 1}).ready, IsEmpty());
  EXPECT_THAT(table_.Answer(kC, {number}).ready, IsEmpty()) << "another session's";
  EXPECT_THAT(table_.Answer(kB, {number, number}).ready, ElementsAre(tickets_[0]));
}

TEST_F(LeaseTableTest, ReturnOfAnOlderGrantIsIgnored) {
  Give(kB, {kFile});
  const uint64_t first = last_sequence_;
  Give(kB, {kFile});
  EXPECT_THAT(table_.Return(kB, {{LeaseReturn{kFile, first}}}).free, IsEmpty());
  EXPECT_TRUE(table_.IsHeld(kFile));
  EXPECT_THAT(table_.Return(kB, {{LeaseReturn{kFile, last_sequence_}}}).free, ElementsAre(kFile));
  EXPECT_FALSE(table_.IsHeld(kFile));
}

TEST_F(LeaseTableTest, LeaseReturnedDuringItsRecallIsStillWaitedFor) {
  Give(kB, {kFile});
  EXPECT_FALSE(Admit(kA, {File(kFile)}));
  EXPECT_THAT(table_.Return(kB, {{LeaseReturn{kFile, last_sequence_}}}).ready, IsEmpty());
  table_.CheckInvariants();
  EXPECT_THAT(AnswerAll(kB).ready, ElementsAre(tickets_[0]));
}

TEST_F(LeaseTableTest, EndOfASessionAnswersItsRecallsAndDropsItsLeases) {
  Give(kB, {kFile, kOther});
  EXPECT_FALSE(Admit(kA, {File(kFile)}));
  const auto outcome = table_.DropSession(kB);
  EXPECT_THAT(outcome.ready, ElementsAre(tickets_[0]));
  EXPECT_THAT(outcome.free, UnorderedElementsAre(kFile, kOther));
  EXPECT_THAT(table_.AwaitedSessions(), IsEmpty());
  EXPECT_EQ(table_.CountOf(kB), 0u);
}

TEST_F(LeaseTableTest, NumbersBeginWhereToldAndAscend) {
  LeaseTable table(1000);
  std::vector<Grant> grants;
  TicketId ticket{};
  std::vector<SessionId> recalled;
  table.Grant(kB, {kFile, kOther}, Want::kCache, now_, grants);
  EXPECT_EQ(grants[0].sequence, 1000u);
  EXPECT_EQ(table.LastRecallOf(kB), 0u);
  EXPECT_FALSE(table.Admit(kA, {File(kFile), File(kOther)}, now_, ticket, recalled));
  const auto recalls = table.RecallsOf(kB, 0, 9);
  ASSERT_EQ(recalls.size(), 2u);
  EXPECT_EQ(recalls[0].number, 1000u);
  EXPECT_EQ(recalls[1].number, 1001u);
  EXPECT_EQ(table.RecallsOf(kB, 1000, 9).front().number, 1001u);
  EXPECT_EQ(table.LastRecallOf(kB), 1001u);
}

// What a client still says for the session that it had before must answer nothing in the next.
TEST_F(LeaseTableTest, NoNumberIsUsedTwice) {
  std::set<uint64_t> numbers;
  for (int round = 0; round < 3; ++round) {
    for (const SessionId holder : {kB, kC}) {
      Give(holder, {kFile});
      EXPECT_FALSE(Admit(kA, {File(kFile)}));
      for (const OpenRecall& one : table_.RecallsOf(holder, 0, 9)) {
        EXPECT_TRUE(numbers.insert(one.number).second) << one.number;
      }
      table_.DropSession(holder);
      for (const TicketId ticket : tickets_) table_.Drop(ticket);
      now_ += 2 * Heat::kHotNanos;
    }
  }
  EXPECT_EQ(numbers.size(), 6u);
}

TEST_F(LeaseTableTest, AwaitedSinceItsOldestOpenRecall) {
  Give(kB, {kFile, kOther});
  const int64_t first = now_;
  EXPECT_FALSE(Admit(kA, {File(kFile)}));
  now_ += kSecondNanos;
  EXPECT_FALSE(Admit(kA, {File(kOther)}));
  ASSERT_EQ(table_.AwaitedSessions().size(), 1u);
  EXPECT_EQ(table_.AwaitedSessions()[0].session, kB);
  EXPECT_EQ(table_.AwaitedSessions()[0].since_nanos, first);
  table_.Answer(kB, {table_.RecallsOf(kB, 0, 1).front().number});
  EXPECT_EQ(table_.AwaitedSessions()[0].since_nanos, now_);
}

// ---- readers of data ----

TEST_F(LeaseTableTest, ReaderWaitsForReservationAndRecallToEnd) {
  TicketId reader{};
  EXPECT_TRUE(table_.AwaitFree(kFile, reader));
  Give(kB, {kFile});
  EXPECT_TRUE(table_.AwaitFree(kFile, reader)) << "held is not busy";
  TicketId change{};
  EXPECT_FALSE(Admit(kA, {File(kFile)}, change));
  EXPECT_FALSE(table_.AwaitFree(kFile, reader));
  EXPECT_THAT(AnswerAll(kB).ready, ElementsAre(change));
  EXPECT_THAT(table_.Drop(change), ElementsAre(reader));
  EXPECT_TRUE(table_.AwaitFree(kFile, reader));
}

TEST_F(LeaseTableTest, WaitingReaderDelaysNobodyAndMayGiveUp) {
  Give(kB, {kFile});
  TicketId change{}, reader{};
  EXPECT_FALSE(Admit(kA, {File(kFile)}, change));
  EXPECT_FALSE(table_.AwaitFree(kFile, reader));
  EXPECT_THAT(table_.Drop(reader), IsEmpty());
  AnswerAll(kB);
  EXPECT_TRUE(Admit(kC, {File(kFile)}));
  EXPECT_THAT(table_.Drop(change), IsEmpty());
  EXPECT_TRUE(table_.empty());
}

}  // namespace
}  // namespace tarn::state
