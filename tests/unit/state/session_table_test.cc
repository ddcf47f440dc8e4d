#include "server/state/session_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "common/limits.h"
#include "tests/support/expect.h"

namespace tarn::state {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ManualClock final : public Clock {
 public:
  Timestamp Now() override { return {boot}; }
  int64_t BootNanos() override { return boot; }
  int64_t boot = 1'000 * kSecondNanos;
};

// Remembers what it was told, in order.
class FakeVolume final : public SessionVolume {
 public:
  Status Save(const SessionFacts& facts, Standing standing, Timestamp now) override {
    if (fail_save) return Error(Errno::kEIO, "no disk");
    log.push_back(standing == Standing::kFenced   ? "fence"
                  : standing == Standing::kSilent ? "silent"
                                                  : "save");
    return Ok();
  }
  Status Forget(SessionId id) override {
    log.push_back("forget");
    forgotten.push_back(id);
    return Ok();
  }
  void EndSession(SessionId id) override { log.push_back("end"); }
  void TellFenced(SessionId id) override { log.push_back("told"); }
  void EndGrace() override { log.push_back("end grace"); }

  std::vector<std::string> log;
  std::vector<SessionId> forgotten;
  bool fail_save = false;
};

class SessionTableTest : public ::testing::Test {
 protected:
  std::shared_ptr<Session> Open(const std::string& nonce = "n") {
    auto session = table_.Open({.volume = &volume_, .client_name = "test"}, nonce);
    EXPECT_OK(session);
    return *session;
  }
  static SessionTable::Loaded OnRecord(uint64_t low, Standing standing = Standing::kLive) {
    SessionTable::Loaded loaded;
    loaded.facts.id = {1, low};
    loaded.standing = standing;
    return loaded;
  }
  void StartAfterRestart(std::vector<SessionTable::Loaded> loaded) {
    table_.AddVolume(volume_, std::move(loaded));
  }
  void StartFresh() {
    table_.AddVolume(volume_, {});
    volume_.log.clear();
  }
  // Sends one request; its answers, when they come, are appended to `answers_`.
  Session::Admitted Begin(Session& session, RequestId id, RequestKind kind = {}) {
    Answer answer = [this](const Bytes* reply) {
      answers_.push_back(reply == nullptr ? "again" : reply->ToString());
    };
    return session.Begin(id, kind, answer);
  }
  static void Finish(Session& session, RequestId id, const std::string& reply,
                     bool interrupted = false) {
    session.Finish(id, Bytes::Copy(reply), interrupted);
  }

  ManualClock clock_;
  FakeVolume volume_;
  SessionTable table_{clock_};
  std::vector<std::string> answers_;
};

constexpr RequestKind kMutation{.mutates = true};
constexpr RequestKind kWait{.waits = true};

TEST_F(SessionTableTest, SlotRunsANewRequestAndAnswersIt) {
  StartFresh();
  auto session = Open();
  EXPECT_EQ(Begin(*session, {0, 1}).verdict, Admission::kRun);
  Finish(*session, {0, 1}, "one");
  EXPECT_THAT(answers_, ElementsAre("one"));
}

TEST_F(SessionTableTest, SlotJoinsARunningRequest) {
  StartFresh();
  auto session = Open();
  Begin(*session, {0, 1}, kMutation);
  EXPECT_EQ(Begin(*session, {0, 1}, kMutation).verdict, Admission::kJoined);
  Finish(*session, {0, 1}, "one");
  EXPECT_THAT(answers_, ElementsAre("one", "one"));
}

// It would get what it cannot read.
TEST_F(SessionTableTest, OtherVerbUnderTheSameSequenceIsMisuse) {
  StartFresh();
  auto session = Open();
  constexpr RequestKind kOther{.mutates = true, .verb = 7};
  Begin(*session, {0, 1}, kMutation);
  EXPECT_EQ(Begin(*session, {0, 1}, kOther).verdict, Admission::kMisused);
  Finish(*session, {0, 1}, "one");
  EXPECT_EQ(Begin(*session, {0, 1}, kOther).verdict, Admission::kMisused);
  EXPECT_EQ(Begin(*session, {0, 1}, kMutation).verdict, Admission::kReplay);
  EXPECT_EQ(Begin(*session, {0, 2}, kOther).verdict, Admission::kRun);
}

TEST_F(SessionTableTest, SlotReplaysADoneMutation) {
  StartFresh();
  auto session = Open();
  Begin(*session, {0, 1}, kMutation);
  Finish(*session, {0, 1}, "one");
  const Session::Admitted again = Begin(*session, {0, 1}, kMutation);
  EXPECT_EQ(again.verdict, Admission::kReplay);
  EXPECT_EQ(again.reply.ToString(), "one");
}

TEST_F(SessionTableTest, SlotRunsAgainWhatChangesNothing) {
  StartFresh();
  auto session = Open();
  Begin(*session, {0, 1});
  Finish(*session, {0, 1}, "one");
  EXPECT_EQ(Begin(*session, {0, 1}).verdict, Admission::kRun);
}

TEST_F(SessionTableTest, SlotRefusesWhatIsOutOfStep) {
  StartFresh();
  auto session = Open();
  EXPECT_EQ(Begin(*session, {0, 0}).verdict, Admission::kMisused);
  EXPECT_EQ(Begin(*session, {0, 2}).verdict, Admission::kMisused) << "a gap";
  Begin(*session, {0, 1});
  EXPECT_EQ(Begin(*session, {0, 2}).verdict, Admission::kMisused) << "the last still runs";
  Finish(*session, {0, 1}, "one");
  EXPECT_EQ(Begin(*session, {0, 2}).verdict, Admission::kRun);
  EXPECT_EQ(Begin(*session, {0, 1}).verdict, Admission::kMisused) << "stale";
  EXPECT_EQ(Begin(*session, {kSlotsPerSession + kWaitSlotsPerSession, 1}).verdict,
            Admission::kMisused);
}

TEST_F(SessionTableTest, WaitingRequestIsCancelled) {
  StartFresh();
  auto session = Open();
  const auto admitted = Begin(*session, {0, 1}, kWait);
  session->Cancel({0, 1});
  EXPECT_TRUE(admitted.cancellation->cancelled());
  Finish(*session, {0, 1}, "EINTR", /*interrupted=*/true);
  EXPECT_THAT(answers_, ElementsAre("EINTR"));
}

TEST_F(SessionTableTest, CancelThatComesFirstIsRemembered) {
  StartFresh();
  auto session = Open();
  session->Cancel({3, 1});
  EXPECT_TRUE(Begin(*session, {3, 1}, kWait).cancellation->cancelled());
}

TEST_F(SessionTableTest, WaitingRequestIsDroppedWithItsLastConnection) {
  StartFresh();
  auto session = Open();
  const auto admitted = Begin(*session, {0, 1}, kWait);
  Begin(*session, {0, 1}, kWait);
  session->Leave({0, 1});
  EXPECT_FALSE(admitted.cancellation->cancelled());
  session->Leave({0, 1});
  EXPECT_TRUE(admitted.cancellation->cancelled());
  Begin(*session, {0, 1}, kWait);  // comes back before the drop is through
  Finish(*session, {0, 1}, "EINTR", /*interrupted=*/true);
  EXPECT_THAT(answers_, ElementsAre("again", "again", "again"));
  EXPECT_EQ(Begin(*session, {0, 1}, kWait).verdict, Admission::kRun);
}

TEST_F(SessionTableTest, DroppedRequestThatWasGrantedIsDone) {
  StartFresh();
  auto session = Open();
  Begin(*session, {0, 1}, kWait);
  session->Leave({0, 1});
  Finish(*session, {0, 1}, "granted");
  EXPECT_THAT(answers_, ElementsAre("granted"));
}

TEST_F(SessionTableTest, FindKnowsIdAndEpoch) {
  StartFresh();
  auto session = Open();
  const SessionFacts& facts = session->facts();
  EXPECT_EQ(table_.Find(facts.id, facts.epoch), session);
  EXPECT_EQ(table_.Find(facts.id, facts.epoch + 1), nullptr);
  EXPECT_EQ(table_.Find({1, 2}, 1), nullptr);
}

TEST_F(SessionTableTest, SameNonceIsTheSameSession) {
  StartFresh();
  EXPECT_EQ(Open("x"), Open("x"));
  EXPECT_NE(Open("x"), Open("y"));
}

TEST_F(SessionTableTest, SessionThatCannotBeRecordedIsNotOpened) {
  StartFresh();
  volume_.fail_save = true;
  EXPECT_ERROR(kEIO, table_.Open({.volume = &volume_}, "n"));
  EXPECT_EQ(table_.CountLive(volume_), 0u);
}

TEST_F(SessionTableTest, GoodbyeDropsEverything) {
  StartFresh();
  const SessionFacts facts = Open()->facts();
  volume_.log.clear();
  table_.Goodbye(facts.id, facts.epoch);
  EXPECT_EQ(table_.Find(facts.id, facts.epoch), nullptr);
  EXPECT_NE(std::find(volume_.log.begin(), volume_.log.end(), "end"), volume_.log.end());
  EXPECT_EQ(volume_.log.back(), "forget");
}

TEST_F(SessionTableTest, StragglersOfAnEndedSessionAreEndedToo) {
  StartFresh();
  auto session = Open();
  Begin(*session, {0, 1}, kMutation);
  table_.Goodbye(session->facts().id, 1);
  EXPECT_EQ(Begin(*session, {1, 1}).verdict, Admission::kNotNow);
  volume_.log.clear();
  Finish(*session, {0, 1}, "opened something");
  EXPECT_THAT(volume_.log, ElementsAre("end"));
}

TEST_F(SessionTableTest, SilentSessionIsFencedDurablyBeforeItIsEnded) {
  StartFresh();
  const SessionId id = Open()->facts().id;
  EXPECT_FALSE(table_.ExpireSilent(id)) << "it lives";
  clock_.boot += kSessionLifetimeNanos + 1;
  volume_.log.clear();
  EXPECT_TRUE(table_.ExpireSilent(id));
  ASSERT_GE(volume_.log.size(), 2u);
  EXPECT_EQ(volume_.log.front(), "fence");
  EXPECT_EQ(volume_.log[1], "end");
  EXPECT_EQ(table_.Find(id, 1), nullptr);
  EXPECT_FALSE(table_.ExpireSilent(id)) << "it is gone";
}

TEST_F(SessionTableTest, OldestOfTooManyArrivalsOfOneRequestGetsNoAnswer) {
  StartFresh();
  auto session = Open();
  EXPECT_EQ(Begin(*session, {0, 1}, kWait).verdict, Admission::kRun);
  for (uint32_t i = 0; i < kListenersPerRequest; ++i) {
    EXPECT_EQ(Begin(*session, {0, 1}, kWait).verdict, Admission::kJoined);
  }
  EXPECT_THAT(answers_, ElementsAre("again"));
  answers_.clear();
  Finish(*session, {0, 1}, "reply");
  EXPECT_EQ(answers_, std::vector<std::string>(kListenersPerRequest, "reply"));
}

TEST_F(SessionTableTest, AddressHasItsShareOfSessionsAndTheSilentOnesGoFirst) {
  StartFresh();
  const auto open = [this](int number, const std::string& peer) {
    return table_.Open({.volume = &volume_, .client_name = "test"}, std::to_string(number), peer);
  };
  for (int i = 0; i < static_cast<int>(kSessionsPerPeer); ++i) ASSERT_OK(open(i, "10.0.0.1"));
  EXPECT_ERROR(kENFILE, open(5000, "10.0.0.1"));
  auto other = open(5001, "10.0.0.2");
  ASSERT_OK(other);
  ASSERT_OK(open(0, "10.0.0.1")) << "it is the one that is there";
  clock_.boot += kSessionLifetimeNanos + 1;
  EXPECT_OK(open(5002, "10.0.0.1"));
  EXPECT_NE(table_.Find((*other)->facts().id, 1), nullptr) << "not of that address";
}

TEST_F(SessionTableTest, LifetimeIsTheOneTheTableWasToldOf) {
  SessionTable table(clock_, {.session_lifetime_nanos = 3 * kSecondNanos});
  table.AddVolume(volume_, {OnRecord(7)});
  auto session = table.Open({.volume = &volume_, .client_name = "test"}, "n");
  ASSERT_OK(session);
  clock_.boot += 3 * kSecondNanos;
  EXPECT_FALSE(table.ExpireSilent((*session)->facts().id));
  clock_.boot += 1;
  volume_.log.clear();
  table.Tick();  // so much for the grace period, too
  EXPECT_EQ(volume_.log.front(), "fence");
  EXPECT_EQ(table.Find((*session)->facts().id, 1), nullptr);
}

TEST_F(SessionTableTest, SilentSessionThatCannotBeFencedKeepsWhatItHolds) {
  StartFresh();
  const SessionId id = Open()->facts().id;
  clock_.boot += kSessionLifetimeNanos + 1;
  volume_.log.clear();
  volume_.fail_save = true;
  EXPECT_FALSE(table_.ExpireSilent(id));
  EXPECT_THAT(volume_.log, IsEmpty());
  EXPECT_NE(table_.Find(id, 1), nullptr);
}

TEST_F(SessionTableTest, SilentSessionInNobodysWayStaysForADay) {
  StartFresh();
  const auto session = Open();
  clock_.boot += kSilentSessionMaxNanos;
  table_.Tick();
  EXPECT_EQ(session->phase(), Session::Phase::kActive);
  clock_.boot += 1;
  table_.Tick();
  EXPECT_EQ(session->phase(), Session::Phase::kEnded);
}

TEST_F(SessionTableTest, SessionInTheWayIsFencedAsSoonAsItIsSilentForALifetime) {
  StartFresh();
  const auto session = Open();
  clock_.boot += kSessionLifetimeNanos - kSecondNanos;
  EXPECT_FALSE(table_.ExpireSilent(session->facts().id));
  clock_.boot += 2 * kSecondNanos;
  table_.Tick();
  EXPECT_EQ(session->phase(), Session::Phase::kEnded);
}

TEST_F(SessionTableTest, GraceEndsWhenAllHaveReclaimed) {
  StartAfterRestart({OnRecord(1), OnRecord(2)});
  for (const uint64_t low : {1, 2}) {
    EXPECT_THAT(volume_.log, IsEmpty());
    const auto session = table_.Resume({1, low}, volume_);
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->phase(), Session::Phase::kReclaiming);
    EXPECT_EQ(Begin(*session, {0, 9}).verdict, Admission::kNotNow);
    table_.Reclaimed(*session);
    table_.Reclaimed(*session);  // said twice
    EXPECT_EQ(session->phase(), Session::Phase::kActive);
  }
  EXPECT_THAT(volume_.log, ElementsAre("end grace"));
}

TEST_F(SessionTableTest, FirstRequestOfASlotAfterARestartMayBeAReplay) {
  StartAfterRestart({OnRecord(1)});
  const auto session = table_.Resume({1, 1}, volume_);
  table_.Reclaimed(*session);
  const auto first = Begin(*session, {0, 41}, kMutation);
  EXPECT_EQ(first.verdict, Admission::kRun);
  EXPECT_TRUE(first.maybe_replay);
  Finish(*session, {0, 41}, "x");
  EXPECT_FALSE(Begin(*session, {0, 42}, kMutation).maybe_replay);
}

TEST_F(SessionTableTest, WhoDoesNotReclaimInTimeIsFencedBeforeGraceEnds) {
  StartAfterRestart({OnRecord(1), OnRecord(2)});
  table_.Reclaimed(*table_.Resume({1, 1}, volume_));
  clock_.boot += kSessionLifetimeNanos;
  ASSERT_NE(table_.Find({1, 1}, 1), nullptr);  // and lives
  table_.Tick();
  EXPECT_THAT(volume_.log, IsEmpty());
  clock_.boot += 1;
  table_.Tick();
  ASSERT_FALSE(volume_.log.empty());
  EXPECT_EQ(volume_.log.front(), "fence");
  EXPECT_EQ(volume_.log.back(), "end grace");
  EXPECT_EQ(table_.Resume({1, 2}, volume_), nullptr);
}

TEST_F(SessionTableTest, GoodbyeBeforeReclaimCountsAsReclaimed) {
  StartAfterRestart({OnRecord(1)});
  table_.Goodbye({1, 1}, 1);
  EXPECT_EQ(volume_.log.back(), "end grace");
}

TEST_F(SessionTableTest, FencedRecordsStayButAreNotResumed) {
  StartAfterRestart({OnRecord(1, Standing::kFenced)});
  EXPECT_THAT(volume_.log, ElementsAre("end grace"));
  EXPECT_EQ(table_.Resume({1, 1}, volume_), nullptr);
}

// ---- what was fenced ----

TEST_F(SessionTableTest, FencedSessionIsForgottenAfterADay) {
  StartFresh();
  const SessionId id = Open()->facts().id;
  table_.Fence(id);
  clock_.boot += kFencedSessionKeptNanos;
  table_.Tick();
  EXPECT_THAT(volume_.forgotten, IsEmpty());
  clock_.boot += 1;
  table_.Tick();
  EXPECT_THAT(volume_.forgotten, ElementsAre(id));
  table_.Tick();
  EXPECT_THAT(volume_.forgotten, SizeIs(1));
}

TEST_F(SessionTableTest, DayOfAFencedSessionGoesOnOverARestart) {
  clock_.boot = 2 * kFencedSessionKeptNanos;
  auto younger = OnRecord(1, Standing::kFenced), older = OnRecord(2, Standing::kFenced);
  younger.fenced_at.ns = clock_.boot - kFencedSessionKeptNanos + kSecondNanos;
  older.fenced_at.ns = clock_.boot - kFencedSessionKeptNanos - 1;
  // Of the third an older server did not say when.
  StartAfterRestart({younger, older, OnRecord(3, Standing::kFenced)});
  table_.Tick();
  EXPECT_THAT(volume_.forgotten, ElementsAre(SessionId{1, 3}, SessionId{1, 2}));
  clock_.boot += kSecondNanos + 1;
  table_.Tick();
  EXPECT_EQ(volume_.forgotten.back(), (SessionId{1, 1}));
}

TEST_F(SessionTableTest, OldestOfTooManyFencedSessionsAreForgotten) {
  StartFresh();
  std::vector<SessionId> fenced;
  for (uint32_t i = 0; i < kFencedSessionsKept + 2; ++i) {
    fenced.push_back(Open(std::to_string(i))->facts().id);
    table_.Fence(fenced.back());
  }
  table_.Tick();
  EXPECT_THAT(volume_.forgotten, ElementsAre(fenced[0], fenced[1]));
}

TEST_F(SessionTableTest, GoodbyeAndReplaceKeepNothing) {
  StartFresh();
  const SessionId left = Open("a")->facts().id;
  const SessionId replaced = Open("b")->facts().id;
  const SessionId fenced = Open("c")->facts().id;
  table_.Goodbye(left, 1);
  table_.Replace(replaced, volume_);
  table_.Fence(fenced);
  EXPECT_THAT(volume_.forgotten, ElementsAre(left, replaced));
  table_.Replace(fenced, volume_);
  EXPECT_EQ(volume_.forgotten.back(), fenced);
}

// What still runs then must not change anything (Caller::session_ended).
TEST_F(SessionTableTest, EndIsKnownBeforeTheSessionCannotBeResumed) {
  StartFresh();
  const auto session = Open();
  Begin(*session, {0, 1}, kMutation);
  EXPECT_FALSE(session->ended());
  table_.Fence(session->facts().id);
  EXPECT_EQ(table_.Resume(session->facts().id, volume_), nullptr);
  EXPECT_TRUE(session->ended());
}

TEST_F(SessionTableTest, ResumeOnAnotherVolumeIsRefused) {
  StartFresh();
  FakeVolume other;
  table_.AddVolume(other, {});
  EXPECT_EQ(table_.Resume(Open()->facts().id, other), nullptr);
}

TEST_F(SessionTableTest, FullTableMakesRoomByFencingTheLongestSilent) {
  StartFresh();
  std::vector<std::shared_ptr<Session>> all;
  for (uint32_t i = 0; i < kSessionsMax; ++i) all.push_back(Open(std::to_string(i)));
  EXPECT_ERROR(kENFILE, table_.Open({.volume = &volume_}, "one more"));
  clock_.boot += kSessionLifetimeNanos + 1;
  for (size_t i = 1; i < all.size(); ++i) table_.Find(all[i]->facts().id, 1);
  EXPECT_OK(table_.Open({.volume = &volume_}, "one more"));
  EXPECT_EQ(all[0]->phase(), Session::Phase::kEnded);
}

TEST_F(SessionTableTest, StopDropsWhatWaits) {
  StartFresh();
  auto session = Open();
  const auto admitted = Begin(*session, {0, 1}, kWait);
  table_.Stop();
  EXPECT_TRUE(table_.stopping());
  EXPECT_TRUE(admitted.cancellation->cancelled());
  Finish(*session, {0, 1}, "EINTR", /*interrupted=*/true);
  EXPECT_THAT(answers_, ElementsAre("again"));
}

TEST_F(SessionTableTest, SilenceIsPutOnRecordAndTakenOffWhenHeardAgain) {
  StartFresh();
  const auto session = Open();
  volume_.log.clear();
  clock_.boot += kSessionLifetimeNanos;
  table_.Tick();
  EXPECT_THAT(volume_.log, IsEmpty());
  clock_.boot += 1;
  table_.Tick();
  table_.Tick();
  EXPECT_THAT(volume_.log, ElementsAre("silent"));
  ASSERT_EQ(table_.Find(session->facts().id, session->facts().epoch), session);
  table_.Tick();
  table_.Tick();
  EXPECT_THAT(volume_.log, ElementsAre("silent", "save"));
}

TEST_F(SessionTableTest, SilentSessionOnRecordIsFencedNotWaitedFor) {
  StartAfterRestart({OnRecord(1, Standing::kSilent)});
  EXPECT_THAT(volume_.log, ElementsAre("fence", "end grace"));
  EXPECT_EQ(table_.Resume({1, 1}, volume_), nullptr);
}

TEST_F(SessionTableTest, FencedSessionIsNotPutOnRecordAgain) {
  StartFresh();
  const auto session = Open();
  clock_.boot += kSilentSessionMaxNanos + 1;
  table_.Tick();
  EXPECT_EQ(volume_.log.back(), "told");
  table_.Tick();
  EXPECT_EQ(volume_.log.back(), "told");
}

TEST_F(SessionTableTest, FenceEndsASessionThatLives) {
  StartFresh();
  const auto session = Open();
  volume_.log.clear();
  table_.Fence(session->facts().id);
  EXPECT_EQ(session->phase(), Session::Phase::kEnded);
  EXPECT_EQ(volume_.log.front(), "fence");
  table_.Fence(session->facts().id);  // unknown by now
}

TEST_F(SessionTableTest, DroppedRequestIsUnansweredAndMayRunAgain) {
  StartFresh();
  auto session = Open();
  Begin(*session, {0, 1}, kMutation);
  Begin(*session, {0, 1}, kMutation);
  session->Drop({0, 1});
  EXPECT_THAT(answers_, ElementsAre("again", "again"));
  EXPECT_EQ(Begin(*session, {0, 1}, kMutation).verdict, Admission::kRun);
  Finish(*session, {0, 1}, "one");
  EXPECT_EQ(answers_.back(), "one");
}

}  // namespace
}  // namespace tarn::state
