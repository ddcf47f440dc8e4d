// Exclusive leases through LocalFs: who waits until the holder has told, and who is shown a
// glimpse.
#include <gtest/gtest.h>

#include <future>

#include "tests/support/eventually.h"
#include "tests/unit/ops/local_fs_fixture.h"

namespace tarn::ops {
namespace {

template <class V>
using Answer = std::future<Result<typename V::Reply>>;

class ExclusiveTest : public LocalFsFixture {
 protected:
  Caller Caching(SessionId session) {
    Caller caller = As(session);
    caller.leases = news_ = std::make_shared<LeaseNews>();
    return caller;
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
  static bool IsParked(const std::future<T>& answer) {
    return answer.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout;
  }
  Result<WriteReply> WriteAs(SessionId session, OpenId open, const std::string& data,
                             std::optional<Timestamp> made = std::nullopt) {
    return Call<verbs::Write>(
        Caching(session),
        {.inode = file_, .open = open, .made = made, .data = Bytes::FromString(data)});
  }
  LeaseMode Granted() const {
    LeaseMode mode = LeaseMode::kNone;
    for (const Grant& grant : news_->grants) {
      if (grant.ino == file_.ino) mode = grant.mode;
    }
    return mode;
  }
  // A file "f" that kA holds exclusively and both have open.
  void MakeExclusive() {
    file_ = Create("f", OpenId{1});
    ASSERT_OK(Open(file_, OpenId{2}, kB));
    ASSERT_OK(Call<verbs::GetAttr>(Caching(kA), {.inode = file_}));
    ASSERT_OK(WriteAs(kA, OpenId{1}, "1"));
    ASSERT_OK(WriteAs(kA, OpenId{1}, "22"));
    ASSERT_EQ(Granted(), LeaseMode::kExclusive);
  }
  state::OpenRecall Recalled(SessionId session) {
    std::vector<state::OpenRecall> open;
    EXPECT_TRUE(testing::Eventually([&] {
      open = fs_->RecallsOf(session, 0, 10);
      return !open.empty();
    }));
    return open.empty() ? state::OpenRecall{} : open[0];
  }

  Handle file_;
  LeaseMode to_{};  // what the next recall should leave
  std::shared_ptr<LeaseNews> news_;
};

TEST_F(ExclusiveTest, WhoShowsTheFileWaitsForTheHolder) {
  struct Row {
    const char* what;
    std::function<bool()> parks;  // and is let go on by the holder's answer
    LeaseMode to;
  };
  const auto parks = [this](auto answer) {
    const bool parked = IsParked(answer);
    const state::OpenRecall recall = Recalled(kA);
    EXPECT_EQ(recall.recall.to, to_);
    EXPECT_OK(WriteAs(kA, OpenId{1}, "333"));  // what it had to tell
    fs_->ReturnLeases(kA, {.recalls = {recall.number}});
    EXPECT_OK(answer.get());
    return parked;
  };
  const Row rows[] = {
      {"Read",
       [&] {
         return parks(
             Start<verbs::Read>(Caching(kB), {.inode = file_, .open = OpenId{2}, .size = 9}));
       },
       LeaseMode::kShared},
      {"Open",
       [&] { return parks(Start<verbs::Open>(Caching(kB), {.inode = file_, .open = OpenId{9}})); },
       LeaseMode::kShared},
      {"Seek",
       [&] { return parks(Start<verbs::Seek>(Caching(kB), {.inode = file_, .open = OpenId{2}})); },
       LeaseMode::kShared},
      {"Fsync", [&] { return parks(Start<verbs::Fsync>(Caching(kB), {.inode = file_})); },
       LeaseMode::kShared},
      {"Create of what is there",
       [&] {
         return parks(
             Start<verbs::Create>(Caching(kB), {.dir = root(), .name = "f", .open = OpenId{9}}));
       },
       LeaseMode::kShared},
      {"SetLock",
       [&] {
         return parks(Start<verbs::SetLock>(
             Caching(kB), {.inode = file_, .open = OpenId{2}, .lock = {LockType::kRead}}));
       },
       LeaseMode::kNone},
      {"GetLock",
       [&] {
         return parks(Start<verbs::GetLock>(
             Caching(kB), {.inode = file_, .open = OpenId{2}, .lock = {LockType::kRead}}));
       },
       LeaseMode::kShared},
      {"GetAttr of one who caches nothing",
       [&] { return parks(Start<verbs::GetAttr>(As(kB), {.inode = file_})); },
       LeaseMode::kExclusive},
      {"Write",
       [&] {
         return parks(Start<verbs::Write>(
             Caching(kB), {.inode = file_, .open = OpenId{2}, .data = Bytes::FromString("x")}));
       },
       LeaseMode::kNone},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    LocalFsFixture::Start(std::make_unique<testing::MemKv>(), {});
    MakeExclusive();
    to_ = row.to;
    EXPECT_TRUE(row.parks());
  }
}

TEST_F(ExclusiveTest, ReaderSeesWhatTheHolderHasTold) {
  MakeExclusive();
  auto read = Start<verbs::Read>(Caching(kB), {.inode = file_, .open = OpenId{2}, .size = 9});
  ASSERT_TRUE(IsParked(read));
  ASSERT_OK(WriteAs(kA, OpenId{1}, "told"));
  fs_->ReturnLeases(kA, {.recalls = {Recalled(kA).number}});
  auto data = read.get();
  ASSERT_OK(data);
  EXPECT_EQ(data->data.ToString(), "told");
}

TEST_F(ExclusiveTest, GlimpseIsShownByLookupAndGetAttr) {
  MakeExclusive();
  const Timestamp made{clock_.Now().ns + 5};
  for (const bool by_name : {true, false}) {
    SCOPED_TRACE(by_name);
    Answer<verbs::Lookup> lookup;
    Answer<verbs::GetAttr> getattr;
    if (by_name) lookup = Start<verbs::Lookup>(Caching(kB), {.dir = root(), .name = "f"});
    if (!by_name) getattr = Start<verbs::GetAttr>(Caching(kB), {.inode = file_});
    const state::OpenRecall recall = Recalled(kA);
    EXPECT_EQ(recall.recall.to, LeaseMode::kExclusive);
    fs_->ReturnLeases(kA, {.glimpses = {{recall.number, 4711, made}}});
    Attr attr;
    if (by_name) attr = lookup.get()->attr;
    if (!by_name) attr = getattr.get()->attr;
    EXPECT_EQ(attr.size, 4711u);
    EXPECT_EQ(attr.mtime, made);
    EXPECT_EQ(attr.ctime, made);
    EXPECT_EQ(Granted(), LeaseMode::kNone);
  }
  ASSERT_OK(WriteAs(kA, OpenId{1}, "x"));
  EXPECT_EQ(Granted(), LeaseMode::kExclusive);
}

TEST_F(ExclusiveTest, GlimpseThatTheStoreHasOvertakenIsAskedForAgain) {
  MakeExclusive();
  auto attr = Start<verbs::GetAttr>(Caching(kB), {.inode = file_});
  const uint64_t first = Recalled(kA).number;
  const Timestamp seen = clock_.Now();
  clock_.Advance(kSecondNanos);
  ASSERT_OK(Call<verbs::SetAttr>(As(kA), {.inode = file_, .open = std::nullopt, .mode = 0600}));
  fs_->ReturnLeases(kA, {.glimpses = {{first, 4711, seen}}});
  ASSERT_TRUE(IsParked(attr));
  const state::OpenRecall again = Recalled(kA);
  EXPECT_GT(again.number, first);
  fs_->ReturnLeases(kA, {.glimpses = {{again.number, 4712, clock_.Now()}}});
  auto shown = attr.get();
  ASSERT_OK(shown);
  EXPECT_EQ(shown->attr.size, 4712u);
  EXPECT_EQ(shown->attr.mode, 0600u);
}

TEST_F(ExclusiveTest, ListingWaitsForNobodyAndHidesAttributes) {
  MakeExclusive();
  auto list = Call<verbs::ReadDir>(Caching(kB), {.dir = root(), .max_bytes = 9999, .plus = true});
  ASSERT_OK(list);
  for (const DirEntry& entry : list->entries) {
    if (entry.name == "f") {
      EXPECT_FALSE(entry.entry.has_value());
    }
  }
  EXPECT_EQ(Granted(), LeaseMode::kNone);
  list = Call<verbs::ReadDir>(Caching(kA), {.dir = root(), .max_bytes = 9999, .plus = true});
  ASSERT_OK(list);
  EXPECT_EQ(Granted(), LeaseMode::kExclusive);
}

TEST_F(ExclusiveTest, LateWriteHasTheTimeWhenItWasMadeWithinBounds) {
  MakeExclusive();
  const Timestamp before = clock_.Now();
  clock_.Advance(10 * kSecondNanos);
  const Timestamp made{before.ns + kSecondNanos};
  auto late = WriteAs(kA, OpenId{1}, "x", made);
  ASSERT_OK(late);
  EXPECT_EQ(late->attr.mtime, made);
  EXPECT_EQ(late->attr.ctime, made);
  late = WriteAs(kA, OpenId{1}, "x", before);  // never back
  ASSERT_OK(late);
  EXPECT_EQ(late->attr.ctime, made);
  late = WriteAs(kA, OpenId{1}, "x", Timestamp{clock_.Now().ns + kSecondNanos});
  ASSERT_OK(late);
  EXPECT_EQ(late->attr.ctime, clock_.Now());
}

TEST_F(ExclusiveTest, NotGrantedWhileOthersHaveLocks) {
  file_ = Create("f", OpenId{1});
  ASSERT_OK(Open(file_, OpenId{2}, kB));
  const SetLockArgs lock{.inode = file_, .open = OpenId{2}, .lock = {LockType::kRead, 0, 9}};
  ASSERT_OK(Call<verbs::SetLock>(Caching(kB), lock));
  ASSERT_OK(Call<verbs::GetAttr>(Caching(kA), {.inode = file_}));
  ASSERT_OK(WriteAs(kA, OpenId{1}, "1"));
  ASSERT_OK(WriteAs(kA, OpenId{1}, "22"));
  EXPECT_EQ(Granted(), LeaseMode::kShared);
  SetLockArgs unlock = lock;
  unlock.lock.type = LockType::kUnlock;
  ASSERT_OK(Call<verbs::SetLock>(Caching(kB), unlock));
  ASSERT_OK(WriteAs(kA, OpenId{1}, "333"));
  ASSERT_OK(WriteAs(kA, OpenId{1}, "4444"));
  EXPECT_EQ(Granted(), LeaseMode::kExclusive);
}

TEST_F(ExclusiveTest, TakenOverByWhoeverWaitedForIt) {
  MakeExclusive();
  auto write = Start<verbs::Write>(
      Caching(kB), {.inode = file_, .open = OpenId{2}, .data = Bytes::FromString("b")});
  fs_->ReturnLeases(kA, {.recalls = {Recalled(kA).number}});
  ASSERT_OK(write.get());
  EXPECT_EQ(Granted(), LeaseMode::kExclusive);
}

TEST_F(ExclusiveTest, GrantedToWhoeverWaitedForALockAndIsAlone) {
  file_ = Create("f", OpenId{1});
  ASSERT_OK(Open(file_, OpenId{2}, kB));
  SetLockArgs lock{.inode = file_, .wait = true, .lock = {LockType::kWrite, 0, 9}};
  const auto lock_as = [&](SessionId session, LockType type) {
    lock.open = session == kA ? OpenId{1} : OpenId{2};
    lock.lock.type = type;
    return Start<verbs::SetLock>(Caching(session), lock);
  };
  ASSERT_OK(lock_as(kA, LockType::kWrite).get());
  auto second = lock_as(kB, LockType::kWrite);
  const auto news_of_second = news_;
  ASSERT_TRUE(IsParked(second));
  auto third = lock_as(kA, LockType::kWrite);  // its own: granted at once
  ASSERT_OK(third.get());
  ASSERT_OK(lock_as(kA, LockType::kUnlock).get());
  ASSERT_OK(second.get());
  news_ = news_of_second;
  EXPECT_EQ(Granted(), LeaseMode::kExclusive);
}

// ---- after a restart ----

TEST_F(ExclusiveTest, WhatWasWrittenIsToldDuringGraceAndSeenByNobodyBefore) {
  MakeExclusive();
  Restart({.grace = true});
  ASSERT_OK(fs_->ReclaimOpen(As(kA), file_, OpenId{1}, OpenAccess::kReadWrite));
  ASSERT_OK(fs_->ReclaimOpen(As(kB), file_, OpenId{2}, OpenAccess::kReadWrite));
  ASSERT_OK(fs_->ReclaimWritten(As(kA), file_));
  EXPECT_ERROR(kEAGAIN, fs_->ReclaimWritten(As(kB), file_));
  auto read = Start<verbs::Read>(Caching(kB), {.inode = file_, .open = OpenId{2}, .size = 9});
  EXPECT_TRUE(IsParked(read));
  ASSERT_OK(WriteAs(kA, OpenId{1}, "late"));  // goes on, though it is grace
  fs_->EndGrace();
  ASSERT_TRUE(IsParked(read));  // until the holder has said that this was all
  fs_->ReturnLeases(kA, {.recalls = {Recalled(kA).number}});
  auto data = read.get();
  ASSERT_OK(data);
  EXPECT_EQ(data->data.ToString(), "late");
}

}  // namespace
}  // namespace tarn::ops
