// The figures of a file system through LocalFs: which calls take them back from whoever keeps them.
#include <gtest/gtest.h>

#include <future>

#include "tests/unit/ops/local_fs_fixture.h"

namespace tarn::ops {
namespace {

class FiguresTest : public LocalFsFixture {
 protected:
  // True: they are granted.
  bool StatFs(SessionId session) {
    Caller caller = As(session);
    caller.leases = std::make_shared<LeaseNews>();
    EXPECT_OK(Call<verbs::StatFs>(caller, {.inode = root()}));
    const auto& grants = caller.leases->grants;
    return grants.size() == 1 && grants[0].ino == kFigures && grants[0].mode == LeaseMode::kShared;
  }
  // True: the call takes them back from kA, and waits until it has answered.
  template <class V>
  bool Recalls(typename V::Args args) {
    EXPECT_TRUE(StatFs(kA));
    auto promise = std::make_shared<std::promise<bool>>();
    auto done = promise->get_future();
    V::Call(*fs_, As(kB), std::move(args),
            [promise](const Result<typename V::Reply>& r) { promise->set_value(r.ok()); });
    const auto recalls = fs_->RecallsOf(kA, 0, 10);
    if (recalls.empty()) {
      EXPECT_TRUE(done.get());
      return false;
    }
    EXPECT_EQ(recalls[0].recall, (Recall{.ino = kFigures, .to = LeaseMode::kNone}));
    EXPECT_EQ(done.wait_for(std::chrono::milliseconds(10)), std::future_status::timeout);
    fs_->ReturnLeases(kA, {.recalls = {recalls[0].number}});
    EXPECT_TRUE(done.get());
    return true;
  }
};

TEST_F(FiguresTest, WhatChangesThemTakesThemBack) {
  const Handle file = Create("f", OpenId{1});
  ASSERT_OK(Open(file, OpenId{2}, kB));
  const auto write = [&](uint64_t offset) {
    return Recalls<verbs::Write>({.inode = file, .open = OpenId{2}, .offset = offset,
                                  .data = Bytes::FromString("x")});
  };
  EXPECT_TRUE(Recalls<verbs::MakeDir>({.dir = root(), .name = "d", .mode = 0755}));
  EXPECT_TRUE(Recalls<verbs::RemoveDir>({.dir = root(), .name = "d"}));
  EXPECT_TRUE(write(0));
  EXPECT_FALSE(write(1));
  EXPECT_TRUE(write(100'000));
  EXPECT_FALSE(Recalls<verbs::SetAttr>({.inode = file, .mode = 0600}));
  EXPECT_TRUE(Recalls<verbs::SetAttr>({.inode = file, .size = 10}));
  EXPECT_FALSE(Recalls<verbs::Link>({.inode = file, .new_dir = root(), .new_name = "g"}));
  EXPECT_FALSE(Recalls<verbs::Unlink>({.dir = root(), .name = "g"}));
  EXPECT_FALSE(Recalls<verbs::Rename>(
      {.dir = root(), .name = "f", .new_dir = root(), .new_name = "h"}));
  EXPECT_TRUE(Recalls<verbs::Unlink>({.dir = root(), .name = "h"}));
}

TEST_F(FiguresTest, OwnChangesRecallNothing) {
  ASSERT_TRUE(StatFs(kA));
  MakeDir(root(), "d");
  EXPECT_TRUE(fs_->RecallsOf(kA, 0, 10).empty());
}

TEST_F(FiguresTest, WhoeverDoesNotCacheIsGrantedNothing) {
  ASSERT_OK(Call<verbs::StatFs>(As(kA), {.inode = root()}));
  ASSERT_OK(Call<verbs::MakeDir>(As(kB), {.dir = root(), .name = "d", .mode = 0755}));
}

TEST_F(FiguresTest, HolderThatDoesNotAnswerIsNotWaitedForForLong) {
  ASSERT_TRUE(StatFs(kA));
  clock_.Advance(kFiguresLeaseNanos + 2 * kSecondNanos);
  ASSERT_OK(Call<verbs::MakeDir>(As(kB), {.dir = root(), .name = "d", .mode = 0755}));
}

}  // namespace
}  // namespace tarn::ops
