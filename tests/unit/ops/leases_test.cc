// Leases through LocalFs: two sessions that cache, as their clients would see it.
#include <gmock/gmock.h>

#include <future>
#include <thread>

#include "tests/support/eventually.h"
#include "tests/unit/ops/local_fs_fixture.h"

namespace tarn::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr SessionId kC{1, 3};

template <class V>
using Answer = std::future<Result<typename V::Reply>>;

class LeasesTest : public LocalFsFixture {
 protected:
  // A caller that caches; `news()` is what its last call was told.
  Caller Caching(SessionId session) {
    Caller caller = As(session);
    caller.leases = news_ = std::make_shared<LeaseNews>();
    return caller;
  }
  std::vector<Ino> Granted() const {
    std::vector<Ino> out;
    for (const Grant& grant : news_->grants) out.push_back(grant.ino);
    return out;
  }
  template <class V>
  Answer<V> Start(const Caller& caller, typename V::Args args) {
    auto promise = std::make_shared<std::promise<Result<typename V::Reply>>>();
    Answer<V> answer = promise->get_future();
    V::Call(*fs_, caller, std::move(args),
            [promise](Result<typename V::Reply> r) { promise->set_value(std::move(r)); });
    return answer;
  }
  template <class T>
  static bool IsReady(const std::future<T>& answer) {
    return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  // What nothing wakes stays parked: everything that could run has run by now.
  template <class T>
  static bool IsParked(const std::future<T>& answer) {
    return answer.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout;
  }

  Result<EntryReply> Lookup(SessionId session, const std::string& name) {
    return Call<verbs::Lookup>(Caching(session), {.dir = root(), .name = name});
  }
  Result<AttrReply> GetAttr(SessionId session, Handle inode) {
    return Call<verbs::GetAttr>(Caching(session), {.inode = inode});
  }
  // A file of kA, open for both kA and kB; nobody holds a lease.
  Handle SharedFile(const std::string& name, const std::string& content) {
    const Handle file = Create(name, OpenId{1});
    EXPECT_OK(Open(file, OpenId{2}, kB));
    EXPECT_OK(Write(file, OpenId{1}, content));
    return file;
  }
  Answer<verbs::Write> StartWrite(SessionId session, Handle file, OpenId open,
                                  const std::string& data) {
    return Start<verbs::Write>(Caching(session), {.inode = file, .open = open,
                                                  .data = Bytes::FromString(data)});
  }
  Answer<verbs::Read> StartRead(SessionId session, Handle file, OpenId open) {
    return Start<verbs::Read>(Caching(session), {.inode = file, .open = open, .size = 100});
  }
  Answer<verbs::MakeDir> StartMakeDir(const Caller& caller, const std::string& name) {
    return Start<verbs::MakeDir>(caller, {.dir = root(), .name = name, .mode = 0755});
  }

  std::vector<Recall> Recalls(SessionId session) const {
    std::vector<Recall> out;
    for (auto& one : fs_->RecallsOf(session, 0, 100)) out.push_back(one.recall);
    return out;
  }
  void AnswerAll(SessionId session) {
    std::vector<uint64_t> numbers;
    for (auto& one : fs_->RecallsOf(session, 0, 100)) numbers.push_back(one.number);
    fs_->ReturnLeases(session, {.recalls = numbers});
  }

  std::shared_ptr<LeaseNews> news_;
};

// ---- grants by verb ----

TEST_F(LeasesTest, ReadingVerbsGrantWhatTheyShow) {
  const Handle file = SharedFile("f", "x");
  const Handle dir = MakeDir(root(), "d");
  const Ino top = kRootIno;
  ASSERT_OK(Lookup(kB, "f"));
  EXPECT_THAT(Granted(), ElementsAre(top, file.ino));
  EXPECT_ERROR(kENOENT, Lookup(kB, "none"));
  EXPECT_THAT(Granted(), ElementsAre(top));
  ASSERT_OK(Call<verbs::Lookup>(Caching(kB), {.dir = dir, .name = ".."}));
  EXPECT_THAT(Granted(), ElementsAre(top));
  ASSERT_OK(Call<verbs::GetAttr>(Caching(kB), {.inode = dir}));
  EXPECT_THAT(Granted(), ElementsAre(dir.ino));
  ASSERT_OK(Call<verbs::Open>(Caching(kB), {.inode = file, .open = OpenId{7}}));
  EXPECT_THAT(Granted(), ElementsAre(file.ino));
  ASSERT_OK(Call<verbs::Read>(Caching(kB), {.inode = file, .open = OpenId{7}, .size = 1}));
  EXPECT_THAT(Granted(), ElementsAre(file.ino));
  ASSERT_OK(Call<verbs::Read>(
      Caching(kC), {.inode = file, .open = kNoOpen, .size = 1, .direct = true}));
  EXPECT_THAT(Granted(), IsEmpty());
  EXPECT_ERROR(kENODATA, Call<verbs::GetXattr>(Caching(kB), {.inode = file, .name = "user.x"}));
  EXPECT_THAT(Granted(), ElementsAre(file.ino));
  ASSERT_OK(Call<verbs::ListXattr>(Caching(kB), {.inode = file}));
  EXPECT_THAT(Granted(), ElementsAre(file.ino));
  ASSERT_OK(Call<verbs::ReadDir>(Caching(kB), {.dir = root(), .max_bytes = 9999}));
  EXPECT_THAT(Granted(), ElementsAre(top));
  ASSERT_OK(Call<verbs::ReadDir>(Caching(kB), {.dir = root(), .max_bytes = 9999, .plus = true}));
  EXPECT_THAT(Granted(), UnorderedElementsAre(top, dir.ino, file.ino));
  ASSERT_OK(Call<verbs::Access>(Caching(kB), {.inode = file}));
  EXPECT_THAT(Granted(), IsEmpty());
}

TEST_F(LeasesTest, MakersGrantTheNewInodeAndTheDirectoryIfHeld) {
  ASSERT_OK_AND_ASSIGN(EntryReply first, Call<verbs::MakeDir>(Caching(kA), {.dir = root(),
                                                                            .name = "d"}));
  EXPECT_THAT(Granted(), ElementsAre(first.handle.ino));
  EXPECT_THAT(news_->changed, ElementsAre(kRootIno));
  EXPECT_THAT(news_->directories, IsEmpty());
  EXPECT_ERROR(kENOENT, Lookup(kA, "f"));
  const CreateArgs create{.dir = root(), .name = "f", .mode = 0644, .open = OpenId{1},
                          .access = OpenAccess::kReadWrite};
  ASSERT_OK_AND_ASSIGN(CreateReply made, Call<verbs::Create>(Caching(kA), create));
  EXPECT_THAT(Granted(), ElementsAre(made.entry.handle.ino, kRootIno));
  const std::vector<Attr> told = news_->directories;
  ASSERT_OK_AND_ASSIGN(AttrReply truth, Call<verbs::GetAttr>(As(kB), {.inode = root()}));
  EXPECT_THAT(told, ElementsAre(truth.attr));
  EXPECT_THAT(Recalls(kA), IsEmpty());
}

TEST_F(LeasesTest, MutationsGrantWhatIsHeldAndNameWhatTheyChanged) {
  const Handle file = SharedFile("f", "x");
  ASSERT_OK(StartWrite(kA, file, OpenId{1}, "y").get());
  EXPECT_THAT(Granted(), IsEmpty());
  EXPECT_THAT(news_->changed, ElementsAre(file.ino));
  ASSERT_OK(GetAttr(kA, file));
  ASSERT_OK(StartWrite(kA, file, OpenId{1}, "z").get());
  EXPECT_THAT(Granted(), ElementsAre(file.ino));
  ASSERT_OK(Call<verbs::Unlink>(Caching(kA), {.dir = root(), .name = "f"}));
  EXPECT_THAT(Granted(), ElementsAre(file.ino));
  EXPECT_THAT(news_->changed, UnorderedElementsAre(kRootIno, file.ino));
}

TEST_F(LeasesTest, CallerThatCachesNothingIsGrantedNothing) {
  const Handle file = SharedFile("f", "x");
  ASSERT_OK(Call<verbs::GetAttr>(As(kB), {.inode = file}));
  ASSERT_OK(Write(file, OpenId{1}, "y"));
  EXPECT_THAT(Recalls(kB), IsEmpty());
}

TEST_F(LeasesTest, AccessTimeRecallsNobody) {
  const Handle file = SharedFile("f", "x");
  ASSERT_OK(GetAttr(kB, file));
  clock_.Advance(48 * 3600 * kSecondNanos);
  ASSERT_OK(Read(file, OpenId{1}));
  EXPECT_EQ(Call<verbs::GetAttr>(As(kA), {.inode = file})->attr.atime, clock_.Now());
  EXPECT_THAT(Recalls(kB), IsEmpty());
}

TEST_F(LeasesTest, KeptReplyGrantsNothing) {
  const MakeDirArgs args{.dir = root(), .name = "d", .mode = 0755};
  Caller first = Caching(kA);
  first.request = RequestId{3, 8};
  ASSERT_OK(Call<verbs::MakeDir>(first, args));
  EXPECT_FALSE(news_->grants.empty());
  Caller again = Caching(kA);
  again.request = RequestId{3, 8};
  again.maybe_replay = true;
  ASSERT_OK(Call<verbs::MakeDir>(again, args));
  EXPECT_TRUE(news_->grants.empty());
}

// ---- recall, wait, go on ----

TEST_F(LeasesTest, ChangeIsRecalledFirstAndMadeOnlyOnceItIsAnswered) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(GetAttr(kB, file));
  std::vector<SessionId> told;
  fs_->SetRecallSink([&](SessionId session) { told.push_back(session); });
  auto write = StartWrite(kA, file, OpenId{1}, "new");
  EXPECT_THAT(told, ElementsAre(kB));
  EXPECT_THAT(Recalls(kB), ElementsAre(Recall{.ino = file.ino, .to = LeaseMode::kNone}));
  EXPECT_TRUE(IsParked(write));
  // Whoever caches nothing still sees the old state, and does not wait.
  EXPECT_EQ(*Read(file, OpenId{1}), "old");
  AnswerAll(kB);
  EXPECT_OK(write.get());
  ASSERT_OK_AND_ASSIGN(ReadReply read, StartRead(kB, file, OpenId{2}).get());
  EXPECT_EQ(read.data.ToString(), "new");
  EXPECT_THAT(Granted(), ElementsAre(file.ino));
}

// A hand-over to another thread is a wake-up.
TEST_F(LeasesTest, TheOneThatAnAnswerLetsGoOnIsDoneOnTheAnswersThread) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(GetAttr(kB, file));
  std::thread::id thread;
  verbs::Write::Call(*fs_, Caching(kA),
                     {.inode = file, .open = OpenId{1}, .data = Bytes::FromString("new")},
                     [&thread](const Result<WriteReply>& written) {
                       EXPECT_OK(written);
                       thread = std::this_thread::get_id();
                     });
  AnswerAll(kB);
  EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST_F(LeasesTest, ChangeOfANameRecallsItsDirectoryWithThatName) {
  EXPECT_ERROR(kENOENT, Lookup(kB, "d"));
  auto made = StartMakeDir(As(kA), "d");
  EXPECT_THAT(Recalls(kB), ElementsAre(Recall{.ino = kRootIno, .to = LeaseMode::kShared,
                                              .names = {"d"}, .directory = true}));
  EXPECT_ERROR(kENOENT, Lookup(kB, "d"));
  EXPECT_THAT(Granted(), IsEmpty());
  AnswerAll(kB);
  EXPECT_OK(made.get());
  EXPECT_OK(Lookup(kB, "d"));
  EXPECT_EQ(Granted().size(), 2u);
}

TEST_F(LeasesTest, RenameRecallsBothDirectoriesAndBothInodesTogether) {
  const Handle from = MakeDir(root(), "from"), to = MakeDir(root(), "to");
  for (const Handle dir : {from, to}) {
    ASSERT_OK(Call<verbs::MakeNode>(As(kA), {.dir = dir, .name = "n", .mode = 0644}));
    ASSERT_OK(Call<verbs::Lookup>(Caching(kB), {.dir = dir, .name = "n"}));
  }
  auto renamed = Start<verbs::Rename>(As(kA), {.dir = from, .name = "n", .new_dir = to,
                                               .new_name = "n"});
  EXPECT_EQ(Recalls(kB).size(), 4u);
  AnswerAll(kB);
  EXPECT_OK(renamed.get());
}

TEST_F(LeasesTest, SessionsThatChangeOneDirectoryAtOnceDoNotDeadlock) {
  for (const SessionId session : {kA, kB, kC}) {
    EXPECT_ERROR(kENOENT, Lookup(session, "none"));
  }
  auto a = StartMakeDir(Caching(kA), "a");
  auto b = StartMakeDir(Caching(kB), "b");
  auto c = StartMakeDir(Caching(kC), "a");
  for (const SessionId session : {kA, kB, kC}) {
    EXPECT_FALSE(Recalls(session).empty());
    AnswerAll(session);
  }
  EXPECT_OK(b.get());
  const bool first = a.get().ok(), second = c.get().ok();
  EXPECT_NE(first, second) << "one makes it, the other finds it";
}

TEST_F(LeasesTest, ManySessionsThatChangeAndReadAtOnceAllComeToAnEnd) {
  const Handle file = SharedFile("f", "0");
  // The sink answers at once, as a client would.
  fs_->SetRecallSink([this](SessionId session) { AnswerAll(session); });
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const SessionId me{2, t};
      const OpenId open{100 + t};
      ASSERT_OK(Open(file, open, me));
      for (int i = 0; i < 60; ++i) {
        Caller caller = As(me);
        caller.leases = std::make_shared<LeaseNews>();
        const std::string name = std::to_string(t) + "." + std::to_string(i);
        EXPECT_OK(Call<verbs::MakeDir>(caller, {.dir = root(), .name = name, .mode = 0755}));
        EXPECT_OK(Call<verbs::Lookup>(caller, {.dir = root(), .name = name}));
        EXPECT_OK(Call<verbs::Write>(caller, {.inode = file, .open = open, .append = true,
                                              .data = Bytes::FromString("x")}));
        EXPECT_OK(Call<verbs::Read>(caller, {.inode = file, .open = open, .size = 10}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Call<verbs::GetAttr>(As(kA), {.inode = file})->attr.size, 1u + 4 * 60);
  EXPECT_EQ(Call<verbs::GetAttr>(As(kA), {.inode = root()})->attr.nlink, 2u + 4 * 60);
}

TEST_F(LeasesTest, ReadOfACachingSessionWaitsBehindAReservation) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(Open(file, OpenId{3}, kC));
  ASSERT_OK(GetAttr(kB, file));
  auto write = StartWrite(kA, file, OpenId{1}, "new");
  auto read = StartRead(kC, file, OpenId{3});
  EXPECT_TRUE(IsParked(read));
  EXPECT_OK(GetAttr(kC, file)) << "all other reads are answered, without a grant";
  EXPECT_THAT(Granted(), IsEmpty());
  AnswerAll(kB);
  EXPECT_OK(write.get());
  EXPECT_EQ(read.get()->data.ToString(), "new");
}

TEST_F(LeasesTest, ParkedMutationUnderAReplayIsMadeOnce) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(GetAttr(kB, file));
  Caller caller = Asking(kA, 1, 1);
  caller.maybe_replay = true;
  const WriteArgs args{.inode = file, .open = OpenId{1}, .append = true,
                       .data = Bytes::FromString("+")};
  auto write = Start<verbs::Write>(caller, args);
  EXPECT_TRUE(testing::Eventually([&] { return !Recalls(kB).empty(); }));
  AnswerAll(kB);
  EXPECT_OK(write.get());
  EXPECT_OK(Start<verbs::Write>(caller, args).get());
  EXPECT_EQ(*Read(file, OpenId{1}), "old+");
}

TEST_F(LeasesTest, FailedOpenWithTruncationRegistersNothingUntilItIsItsTurn) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(GetAttr(kB, file));
  auto open = Start<verbs::Open>(As(kA), {.inode = file, .open = OpenId{9},
                                          .access = OpenAccess::kReadWrite, .truncate = true});
  EXPECT_ERROR(kEBADF, Write(file, OpenId{9}, "x"));
  AnswerAll(kB);
  EXPECT_OK(open.get());
  EXPECT_EQ(*Read(file, OpenId{9}), "");
}

// ---- ends of waiting ----

TEST_F(LeasesTest, EndOfTheHoldersSessionLetsTheChangeGoOn) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(GetAttr(kB, file));
  auto write = StartWrite(kA, file, OpenId{1}, "new");
  fs_->EndSession(kB);
  EXPECT_OK(write.get());
}

TEST_F(LeasesTest, EndOfTheWaitersSessionDropsItAndWhatItReserved) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(GetAttr(kB, file));
  auto write = StartWrite(kA, file, OpenId{1}, "new");
  fs_->EndSession(kA);
  EXPECT_ERROR(kBlocked, write.get());
  AnswerAll(kB);
  ASSERT_OK_AND_ASSIGN(ReadReply read, StartRead(kB, file, OpenId{2}).get());
  EXPECT_EQ(read.data.ToString(), "old");
}

TEST_F(LeasesTest, CancelledRequestEndsWithEINTRAndWithoutEffect) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(GetAttr(kB, file));
  Caller caller = As(kA);
  caller.cancellation = std::make_shared<Cancellation>();
  const WriteArgs args{.inode = file, .open = OpenId{1}, .data = Bytes::FromString("new")};
  auto write = Start<verbs::Write>(caller, args);
  caller.cancellation->Cancel();
  EXPECT_ERROR(kEINTR, write.get());
  auto named = Start<verbs::Write>(Asking(kA, 4, 2), args);
  fs_->CancelParked(kA, {4, 1});
  EXPECT_FALSE(IsReady(named));
  fs_->CancelParked(kA, {4, 2});
  EXPECT_ERROR(kEINTR, named.get());
  EXPECT_EQ(*Read(file, OpenId{1}), "old");
}

TEST_F(LeasesTest, StopDropsWhatIsParkedNowAndLater) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(GetAttr(kB, file));
  auto before = StartWrite(kA, file, OpenId{1}, "new");
  fs_->DropParked();
  EXPECT_ERROR(kBlocked, before.get());
  EXPECT_ERROR(kBlocked, StartWrite(kA, file, OpenId{1}, "new").get());
}

TEST_F(LeasesTest, DestructionAnswersWhatIsParked) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(GetAttr(kB, file));
  auto write = StartWrite(kA, file, OpenId{1}, "new");
  fs_.reset();
  EXPECT_ERROR(kEINTR, write.get());
}

TEST_F(LeasesTest, SilentHolderIsEndedAtOnce) {
  const Handle file = SharedFile("f", "old");
  ASSERT_OK(GetAttr(kB, file));
  fs_->SetExpireSilent([this](SessionId holder) {
    fs_->EndSession(holder);
    return true;
  });
  EXPECT_OK(StartWrite(kA, file, OpenId{1}, "new").get());
}

TEST_F(LeasesTest, HolderThatLivesButDoesNotAnswerIsFencedAfterTheDeadline) {
  const Handle file = SharedFile("f", "old");
  const Handle other = Create("g", OpenId{8});
  ASSERT_OK(GetAttr(kB, file));
  ASSERT_OK(GetAttr(kB, other));
  std::atomic<int> asked = 0, fenced = 0;
  fs_->SetExpireSilent([&](SessionId) {
    ++asked;
    return false;
  });
  fs_->SetFenceOverdue([&](SessionId holder) {
    EXPECT_EQ(holder, kB);
    ++fenced;
    fs_->EndSession(holder);
  });
  auto write = StartWrite(kA, file, OpenId{1}, "new");
  EXPECT_TRUE(testing::Eventually([&] { return asked > 0; }));
  EXPECT_EQ(fenced, 0);
  clock_.Advance(kRecallDeadlineNanos);
  EXPECT_OK(StartWrite(kA, other, OpenId{8}, "x").get());  // whoever waits has them looked at
  EXPECT_OK(write.get());
  EXPECT_EQ(fenced, 1);
}

// ---- orphans ----

TEST_F(LeasesTest, OrphanIsKeptWhileALeaseIsHeld) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Call<verbs::Release>(As(kA), {.inode = file, .open = OpenId{1}}));
  ASSERT_OK(GetAttr(kA, file));
  const uint64_t sequence = news_->grants.front().sequence;
  ASSERT_OK(Call<verbs::Unlink>(As(kA), {.dir = root(), .name = "f"}));
  clock_.Advance(2 * kOrphanMinAgeNanos);
  fs_->ReclaimNow();
  EXPECT_OK(Call<verbs::GetAttr>(As(kA), {.inode = file}));
  fs_->ReturnLeases(kA, {.returns = {LeaseReturn{file.ino, sequence}}});
  fs_->ReclaimNow();
  EXPECT_ERROR(kESTALE, Call<verbs::GetAttr>(As(kA), {.inode = file}));
}

TEST_F(LeasesTest, HolderMayOpenWhatIsUnlinkedBeforeItAnswers) {
  const Handle file = SharedFile("f", "x");
  ASSERT_OK(GetAttr(kB, file));
  auto unlinked = Start<verbs::Unlink>(As(kA), {.dir = root(), .name = "f"});
  ASSERT_OK(Open(file, OpenId{22}, kB));
  AnswerAll(kB);
  EXPECT_OK(unlinked.get());
  ASSERT_OK(Call<verbs::Release>(As(kA), {.inode = file, .open = OpenId{1}}));
  clock_.Advance(2 * kOrphanMinAgeNanos);
  fs_->ReclaimNow();
  EXPECT_OK(StartRead(kB, file, OpenId{22}).get());
}

// ---- grace ----

// A change, and what would be shown: somebody may have written to it and not told yet.
TEST_F(LeasesTest, WhatStoresOrShowsIsParkedUntilGraceEnds) {
  const MakeDirArgs args{.dir = root(), .name = "done", .mode = 0755};
  ASSERT_OK(Call<verbs::MakeDir>(Asking(kA, 1, 1), args));
  Restart({.grace = true});
  auto made = StartMakeDir(As(kA), "d");
  EXPECT_TRUE(IsParked(made));
  auto looked_up = Start<verbs::Lookup>(Caching(kB), {.dir = root(), .name = "d"});
  EXPECT_TRUE(IsParked(looked_up));
  Caller again = Asking(kA, 1, 1);
  again.maybe_replay = true;
  EXPECT_OK(Call<verbs::MakeDir>(again, args)) << "what was done before is answered";
  Caller fresh = Asking(kA, 1, 2);
  fresh.maybe_replay = true;
  auto retried = StartMakeDir(fresh, "e");
  fs_->EndGrace();
  // kB was granted the directory meanwhile.
  EXPECT_TRUE(testing::Eventually([&] {
    AnswerAll(kB);
    return IsReady(made) && IsReady(retried) && IsReady(looked_up);
  }));
  EXPECT_OK(made.get());
  EXPECT_OK(retried.get());
}

TEST_F(LeasesTest, EndOfSessionDropsWhatWaitsForGrace) {
  Restart({.grace = true});
  auto made = StartMakeDir(As(kA), "d");
  fs_->EndSession(kA);
  EXPECT_ERROR(kBlocked, made.get());
}

}  // namespace
}  // namespace tarn::ops
