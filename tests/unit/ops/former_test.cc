// What a session was asked and did not answer before it was fenced, asked again by the session that
// follows it: done once, whatever still runs in the fenced one's name.
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <thread>

#include "tests/support/eventually.h"
#include "tests/unit/ops/local_fs_fixture.h"

namespace tarn::ops {
namespace {

constexpr SessionId kC{1, 3};

class FormerTest : public LocalFsFixture {
 protected:
  // Puts a session on record as fenced, which followed `previous`.
  void Fence(SessionId session, SessionId previous = {}) {
    store::SessionRecord record;
    record.id = session;
    record.fenced = true;
    record.previous = previous;
    ASSERT_OK(fs_->store().PutSession(record));
  }
  // A request of a session that follows `previous`, and what it was before.
  static Caller Again(SessionId session, SessionId previous, std::vector<FormerRequest> former) {
    Caller caller = Asking(session, 0, 1);
    caller.formerly = std::make_shared<Formerly>(Formerly{previous, std::move(former)});
    return caller;
  }
  MakeDirArgs Dir(const std::string& name = "d") const {
    return {.dir = root(), .name = name, .mode = 0755};
  }
  Result<EntryReply> MakeDirAs(const Caller& caller, const std::string& name = "d") {
    return Call<verbs::MakeDir>(caller, Dir(name));
  }
  bool Exists(const std::string& name) {
    return Call<verbs::Lookup>(As(kC), {.dir = root(), .name = name}).ok();
  }
  // A caller whose session ends when `ended` says so.
  static Caller Mortal(SessionId session, std::shared_ptr<std::atomic<bool>> ended) {
    Caller caller = Asking(session, 0, 1);
    caller.session_ended = std::move(ended);
    return caller;
  }
};

TEST_F(FormerTest, AppliedMutationIsAnsweredFromWhatTheFencedSessionKept) {
  ASSERT_OK_AND_ASSIGN(const EntryReply first, MakeDirAs(Asking(kA, 3, 8)));
  Fence(kA);
  Caller again = Again(kB, kA, {{kA, {3, 8}}});
  ASSERT_OK_AND_ASSIGN(EntryReply second, MakeDirAs(again));
  EXPECT_EQ(second.handle, first.handle);
  EXPECT_EQ(second.attr, first.attr);
  // From now on it is the new session's own, whatever becomes of the former one.
  ASSERT_OK(fs_->store().DeleteSession(kA));
  Restart();
  again.maybe_replay = true;
  ASSERT_OK_AND_ASSIGN(second, MakeDirAs(again));
  EXPECT_EQ(second.handle, first.handle);
}

TEST_F(FormerTest, MutationThatWasNotAppliedRunsAndIsKept) {
  ASSERT_OK(MakeDirAs(Asking(kA, 3, 8), "earlier"));
  Fence(kA);
  Caller again = Again(kB, kA, {{kA, {3, 9}}});
  ASSERT_OK_AND_ASSIGN(const EntryReply first, MakeDirAs(again));
  Restart();
  again.maybe_replay = true;
  ASSERT_OK_AND_ASSIGN(const EntryReply second, MakeDirAs(again));
  EXPECT_EQ(second.handle, first.handle);
}

TEST_F(FormerTest, ReplyToAnotherVerbOrSlotIsNoAnswer) {
  ASSERT_OK(MakeDirAs(Asking(kA, 3, 8)));
  Fence(kA);
  EXPECT_OK(Call<verbs::RemoveDir>(Again(kB, kA, {{kA, {3, 8}}}), {.dir = root(), .name = "d"}));
  ASSERT_OK(MakeDirAs(As(kC)));
  EXPECT_ERROR(kEEXIST, MakeDirAs(Again(kB, kA, {{kA, {4, 8}}})));
}

// Whoever names a session that is not his own's former one learns nothing of it.
TEST_F(FormerTest, SessionThatTheCallersDoesNotFollowIsNotLookedAt) {
  ASSERT_OK(MakeDirAs(Asking(kA, 3, 8)));
  Fence(kA);
  EXPECT_ERROR(kEEXIST, MakeDirAs(Again(kB, {}, {{kA, {3, 8}}})));
  Fence(kC);
  EXPECT_ERROR(kEEXIST, MakeDirAs(Again(kB, kC, {{kA, {3, 8}}})));
  EXPECT_ERROR(kEEXIST, MakeDirAs(Again(kB, kC, {{{}, {3, 8}}})));
  EXPECT_OK(MakeDirAs(Again(kB, kC, {{kA, {3, 8}}}), "new"));
}

TEST_F(FormerTest, WhatIsNotKeptAnyMoreIsEIOAndNothingIsDone) {
  EXPECT_ERROR(kEIO, MakeDirAs(Again(kB, kA, {{kA, {3, 8}}})));
  EXPECT_FALSE(Exists("d"));
}

TEST_F(FormerTest, SessionsThatFollowEachOtherAreLookedAtOneByOne) {
  ASSERT_OK_AND_ASSIGN(const EntryReply made, MakeDirAs(Asking(kA, 3, 8)));
  Fence(kA);
  Fence(kB, kA);
  const auto follower = [](uint64_t number) { return SessionId{2, number}; };
  const std::vector<FormerRequest> both{{kB, {5, 1}}, {kA, {3, 8}}};
  ASSERT_OK_AND_ASSIGN(EntryReply reply, MakeDirAs(Again(follower(1), kB, both)));
  EXPECT_EQ(reply.handle, made.handle);
  // It was never sent in the one between.
  ASSERT_OK_AND_ASSIGN(reply, MakeDirAs(Again(follower(2), kB, {{kA, {3, 8}}})));
  EXPECT_EQ(reply.handle, made.handle);
  EXPECT_OK(MakeDirAs(Again(follower(3), kB, {{kB, {5, 2}}, {kA, {3, 9}}}), "new"));
  ASSERT_OK(fs_->store().DeleteSession(kA));
  EXPECT_ERROR(kEIO, MakeDirAs(Again(follower(4), kB, both)));
}

TEST_F(FormerTest, KeptCreateIsOpenInTheNewSession) {
  const CreateArgs args{.dir = root(), .name = "f", .mode = 0644, .open = OpenId{5},
                        .access = OpenAccess::kReadWrite, .exclusive = true};
  ASSERT_OK(Call<verbs::Create>(Asking(kB, 0, 1), args));
  fs_->EndSession(kB);
  Fence(kB);
  ASSERT_OK_AND_ASSIGN(const CreateReply reply,
                       Call<verbs::Create>(Again(kA, kB, {{kB, {0, 1}}}), args));
  EXPECT_TRUE(reply.created);
  EXPECT_OK(Write(reply.entry.handle, OpenId{5}, "data"));
}

// Only the fenced session's open kept it.
TEST_F(FormerTest, FileWithoutANameThatIsGoneIsMadeAnew) {
  const CreateTmpArgs args{.dir = root(), .mode = 0600, .open = OpenId{5},
                           .access = OpenAccess::kReadWrite};
  ASSERT_OK_AND_ASSIGN(const CreateReply first, Call<verbs::CreateTmp>(Asking(kB, 0, 1), args));
  fs_->EndSession(kB);
  Fence(kB);
  const Caller early = Again({2, 1}, kB, {{kB, {0, 1}}});
  ASSERT_OK_AND_ASSIGN(const CreateReply second, Call<verbs::CreateTmp>(early, args));
  EXPECT_EQ(second.entry.handle, first.entry.handle);
  fs_->EndSession({2, 1});
  clock_.Advance(2 * kOrphanMinAgeNanos);
  fs_->ReclaimNow();
  ASSERT_OK_AND_ASSIGN(const CreateReply third,
                       Call<verbs::CreateTmp>(Again(kA, kB, {{kB, {0, 1}}}), args));
  EXPECT_NE(third.entry.handle, first.entry.handle);
  EXPECT_OK(Write(third.entry.handle, OpenId{5}, "data"));
}

// ---- what still runs in a fenced session's name ----

TEST_F(FormerTest, EndedSessionStoresNothing) {
  const auto ended = std::make_shared<std::atomic<bool>>(true);
  EXPECT_ERROR(kEBADF, MakeDirAs(Mortal(kA, ended)));
  EXPECT_FALSE(Exists("d"));
  *ended = false;
  EXPECT_OK(MakeDirAs(Mortal(kA, ended)));
}

// It was parked after its session had dropped what was.
TEST_F(FormerTest, RequestThatIsParkedWhenItsSessionHasEndedStoresNothing) {
  Caller caching = As(kB);
  caching.leases = std::make_shared<LeaseNews>();
  ASSERT_OK(Call<verbs::GetAttr>(caching, {.inode = root()}));
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  std::promise<Result<EntryReply>> promise;
  fs_->MakeDir(Mortal(kA, ended), Dir(),
               [&](Result<EntryReply> reply) { promise.set_value(std::move(reply)); });
  const auto recalls = fs_->RecallsOf(kB, 0, 10);
  ASSERT_EQ(recalls.size(), 1u);
  *ended = true;
  fs_->ReturnLeases(kB, {.recalls = {recalls.front().number}});
  EXPECT_ERROR(kEBADF, promise.get_future().get());
  EXPECT_FALSE(Exists("d"));
}

// The proof in driver.h, tried: an append that is under way while its session is fenced, and asked
// again at once, is there once.
TEST_F(FormerTest, RequestUnderWayWhileItsSessionIsFencedIsDoneOnce) {
  constexpr uint64_t kRounds = 300;
  const Handle file = Create("f", OpenId{1}, {2, 0});
  uint64_t answered_by_former = 0;
  for (uint64_t round = 1; round <= kRounds; ++round) {
    const SessionId former{2, round}, follower{3, round};
    ASSERT_OK(Open(file, OpenId{1}, former));
    ASSERT_OK(Open(file, OpenId{1}, follower));
    const WriteArgs append{.inode = file, .open = OpenId{1}, .append = true,
                           .data = Bytes::Copy("x")};
    const auto ended = std::make_shared<std::atomic<bool>>(false);
    std::atomic<bool> started = false;
    std::thread straggler([&] {
      started = true;
      answered_by_former += Call<verbs::Write>(Mortal(former, ended), append).ok() ? 1 : 0;
    });
    while (!started) std::this_thread::yield();
    for (uint64_t i = 0; i < round % 16; ++i) std::this_thread::yield();
    Fence(former);
    *ended = true;
    EXPECT_OK(Call<verbs::Write>(Again(follower, former, {{former, {0, 1}}}), append));
    straggler.join();
    ASSERT_OK_AND_ASSIGN(const AttrReply attr, Call<verbs::GetAttr>(As(kC), {.inode = file}));
    ASSERT_EQ(attr.attr.size, round);
  }
  std::printf("%ju of %ju were done before the session was fenced\n",
              static_cast<uintmax_t>(answered_by_former), static_cast<uintmax_t>(kRounds));
}

}  // namespace
}  // namespace tarn::ops
