#include "client/cache/lazy_opens.h"

#include <gtest/gtest.h>

#include <deque>

#include "tests/support/stub_fs.h"

namespace tarn::cache {
namespace {

constexpr Handle kFile{Ino{7}, 77};

// Answers Open when it is told to.
class OpeningFs final : public testing::StubFs {
 public:
  void Open(const Caller& caller, OpenArgs args, Done<OpenReply> done) override {
    uid = caller.uid;
    asked.emplace_back(args.open, std::move(done));
  }
  void Answer(Result<OpenReply> result) {
    auto done = std::move(asked.front().second);
    asked.pop_front();
    std::move(done)(std::move(result));
  }
  std::deque<std::pair<OpenId, Done<OpenReply>>> asked;
  Uid uid = 0;
};

class LazyOpensTest : public ::testing::Test {
 protected:
  void Add(OpenId open) {
    Caller caller;
    caller.uid = 1000;
    lazy_.Add(caller, {.inode = kFile, .open = open});
  }
  LazyOpens::Then Note(std::vector<Errno>& into) {
    return [&into](const Status& status) { into.push_back(status.code()); };
  }
  OpeningFs fs_;
  LazyOpens lazy_{fs_};
};

TEST_F(LazyOpensTest, WhatIsNotLazyIsKnownAtOnce) {
  std::vector<Errno> heard;
  lazy_.Register(OpenId{1}, Note(heard));
  EXPECT_EQ(heard, std::vector{Errno::kOk});
  EXPECT_TRUE(fs_.asked.empty());
}

TEST_F(LazyOpensTest, OpenerIsKnownUntilItIsRegistered) {
  Add(OpenId{1});
  ASSERT_TRUE(lazy_.OpenerOf(OpenId{1}, OpenAccess::kRead).has_value());
  EXPECT_EQ(lazy_.OpenerOf(OpenId{1}, OpenAccess::kRead)->uid, 1000u);
  EXPECT_FALSE(lazy_.OpenerOf(OpenId{1}, OpenAccess::kWrite).has_value());
  EXPECT_FALSE(lazy_.OpenerOf(OpenId{2}, OpenAccess::kRead).has_value());
  lazy_.Add(Caller{}, {.inode = kFile, .open = OpenId{3}, .execute = true});
  // By the right to execute, not to read.
  EXPECT_FALSE(lazy_.OpenerOf(OpenId{3}, OpenAccess::kRead).has_value());
  lazy_.Register(OpenId{1}, [](const Status&) {});
  EXPECT_FALSE(lazy_.OpenerOf(OpenId{1}, OpenAccess::kRead).has_value());
  fs_.Answer(OpenReply{});
  EXPECT_FALSE(lazy_.OpenerOf(OpenId{1}, OpenAccess::kRead).has_value());
}

TEST_F(LazyOpensTest, RegisteredOnceForAllThatWaitInTheNameOfTheOpener) {
  std::vector<Errno> heard;
  Add(OpenId{1});
  lazy_.Register(OpenId{1}, Note(heard));
  lazy_.Register(OpenId{1}, Note(heard));
  EXPECT_EQ(fs_.asked.size(), 1u);
  EXPECT_EQ(fs_.uid, 1000u);
  EXPECT_TRUE(heard.empty());
  fs_.Answer(OpenReply{});
  EXPECT_EQ(heard, (std::vector{Errno::kOk, Errno::kOk}));
  EXPECT_FALSE(lazy_.IsOpen(kFile.ino));
}

TEST_F(LazyOpensTest, RefusalReachesWhoeverNeedsTheOpen) {
  std::vector<Errno> heard;
  Add(OpenId{1});
  lazy_.Register(OpenId{1}, Note(heard));
  fs_.Answer(Errno::kENFILE);
  EXPECT_EQ(heard, std::vector{Errno::kENFILE});
}

TEST_F(LazyOpensTest, DroppedOneIsNeverHeardOf) {
  Add(OpenId{1});
  EXPECT_TRUE(lazy_.IsOpen(kFile.ino));
  EXPECT_TRUE(lazy_.Drop(OpenId{1}));
  EXPECT_FALSE(lazy_.IsOpen(kFile.ino));
  EXPECT_FALSE(lazy_.Drop(OpenId{1}));
}

TEST_F(LazyOpensTest, OneBeingRegisteredCannotBeDropped) {
  Add(OpenId{1});
  lazy_.Register(OpenId{1}, [](const Status&) {});
  EXPECT_FALSE(lazy_.Drop(OpenId{1}));
  fs_.Answer(OpenReply{});
}

TEST_F(LazyOpensTest, AllOfAnInodeAreRegisteredBeforeTheContinuation) {
  int over = 0;
  Add(OpenId{1});
  Add(OpenId{2});
  lazy_.RegisterAll(kFile.ino, [&] { ++over; });
  fs_.Answer(OpenReply{});
  EXPECT_EQ(over, 0);
  fs_.Answer(Errno::kEIO);  // whoever uses it will hear
  EXPECT_EQ(over, 1);
  lazy_.RegisterAll(kFile.ino, [&] { ++over; });
  EXPECT_EQ(over, 2);
}

TEST_F(LazyOpensTest, TakingAllLeavesWhatIsBeingRegistered) {
  Add(OpenId{1});
  Add(OpenId{2});
  lazy_.Register(OpenId{2}, [](const Status&) {});
  const std::vector<OpenArgs> taken = lazy_.TakeAll();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].open, OpenId{1});
  EXPECT_TRUE(lazy_.IsOpen(kFile.ino));
  fs_.Answer(OpenReply{});
  EXPECT_FALSE(lazy_.IsOpen(kFile.ino));
}

}  // namespace
}  // namespace tarn::cache
