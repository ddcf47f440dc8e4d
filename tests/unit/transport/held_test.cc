#include "client/transport/held.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tarn::transport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr Handle kFile{Ino{5}, 1};
constexpr OpenId kOpen{1};
constexpr LockOwner kOwner{9};

SetLockArgs Lock(LockType type, uint64_t start, uint64_t end) {
  return {.inode = kFile, .open = kOpen, .owner = kOwner, .lock = {type, start, end, 1}};
}

std::vector<std::pair<uint64_t, uint64_t>> Ranges(const Held& held) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const SetLockArgs& lock : held.locks()) ranges.emplace_back(lock.lock.start, lock.lock.end);
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

TEST(HeldTest, UnlockInTheMiddleSplitsARange) {
  Held held;
  held.Note(Lock(LockType::kWrite, 0, 99), Unit{});
  held.Note(Lock(LockType::kUnlock, 40, 59), Unit{});
  EXPECT_THAT(Ranges(held), ElementsAre(Pair(0, 39), Pair(60, 99)));
}

TEST(HeldTest, WhatIsBeingGivenUpIsNotToldAgain) {
  Held held;
  held.Note(Lock(LockType::kWrite, 0, 99), Unit{});
  held.NoteLetsGo(Lock(LockType::kWrite, 0, 99));
  held.NoteLetsGo(Lock(LockType::kUnlock, 40, 59));
  EXPECT_THAT(Ranges(held), ElementsAre(Pair(0, 39), Pair(60, 99)));
  held.NoteLetsGo(FlushArgs{kFile, kOpen, LockOwner{1}});
  held.NoteLetsGo(ReleaseArgs{kFile, OpenId{7}});
  EXPECT_EQ(held.locks().size(), 2u);
  held.NoteLetsGo(ReleaseArgs{kFile, kOpen});
  EXPECT_THAT(held.locks(), IsEmpty());
  held.Note(Lock(LockType::kWrite, 0, 99), Unit{});
  held.NoteLetsGo(FlushArgs{kFile, kOpen, kOwner});
  EXPECT_THAT(held.locks(), IsEmpty());
}

// Of a conversion that may have been done the weaker lock is told: it is what is held in any case.
TEST(HeldTest, WhatIsBeingConvertedIsToldAsTheWeaker) {
  Held held;
  held.Note(Lock(LockType::kWrite, 10, 29), Unit{});
  held.NoteLetsGo(Lock(LockType::kRead, 20, 39));
  const std::vector<SetLockArgs> locks = held.locks();
  EXPECT_THAT(Ranges(held), ElementsAre(Pair(10, 19), Pair(20, 29)));
  for (const SetLockArgs& lock : locks) {
    EXPECT_EQ(lock.lock.type, lock.lock.start == 10 ? LockType::kWrite : LockType::kRead);
  }
  SetLockArgs flock = Lock(LockType::kWrite, 0, 0);
  flock.kind = LockKind::kFlock;
  flock.owner = LockOwner{3};
  held.Note(flock, Unit{});
  flock.lock.type = LockType::kRead;
  held.NoteLetsGo(flock);
  for (const SetLockArgs& lock : held.locks()) {
    if (lock.kind == LockKind::kFlock) {
      EXPECT_EQ(lock.lock.type, LockType::kRead);
    }
  }
}

TEST(HeldTest, NewLockReplacesWhatItCovers) {
  Held held;
  held.Note(Lock(LockType::kRead, 10, 20), Unit{});
  held.Note(Lock(LockType::kRead, 30, kLockToEnd), Unit{});
  held.Note(Lock(LockType::kWrite, 15, 35), Unit{});
  EXPECT_THAT(Ranges(held), ElementsAre(Pair(10, 14), Pair(15, 35), Pair(36, kLockToEnd)));
}

TEST(HeldTest, FlushDropsTheOwnersRangesOnly) {
  Held held;
  held.Note(Lock(LockType::kRead, 0, 9), Unit{});
  SetLockArgs other = Lock(LockType::kRead, 20, 29);
  other.owner = LockOwner{10};
  held.Note(other, Unit{});
  held.Note(FlushArgs{kFile, kOpen, kOwner}, Unit{});
  EXPECT_THAT(Ranges(held), ElementsAre(Pair(20, 29)));
}

TEST(HeldTest, WhatHasEndedIsHeldNoMoreButStillToBeTold) {
  Held held;
  for (uint64_t open = 1; open <= 3; ++open) {
    held.Add(OpenId{open}, kFile, OpenAccess::kRead);
    EXPECT_EQ(held.End({kFile, OpenId{open}}), open);
  }
  EXPECT_TRUE(held.opens().empty());
  EXPECT_EQ(held.TakeEnded(2).size(), 2u);
  const auto left = held.TakeEnded(2);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].open, OpenId{1});
  EXPECT_TRUE(held.TakeEnded(2).empty());
}

TEST(HeldTest, ReleaseDropsTheOpenAndItsLocks) {
  Held held;
  held.Note(OpenArgs{.inode = kFile, .open = kOpen}, OpenReply{});
  SetLockArgs flock = Lock(LockType::kWrite, 0, kLockToEnd);
  flock.kind = LockKind::kFlock;
  held.Note(flock, Unit{});
  held.Note(Lock(LockType::kRead, 0, 9), Unit{});
  held.Note(ReleaseArgs{kFile, kOpen}, Unit{});
  EXPECT_THAT(held.opens(), IsEmpty());
  EXPECT_THAT(held.locks(), IsEmpty());
}

TEST(HeldTest, LostLocksTakeTheirOpensWithThem) {
  Held held;
  held.Note(OpenArgs{.inode = kFile, .open = kOpen}, OpenReply{});
  held.Note(OpenArgs{.inode = kFile, .open = OpenId{2}}, OpenReply{});
  held.Note(Lock(LockType::kRead, 0, 9), Unit{});
  held.LoseLocks();
  EXPECT_TRUE(held.IsLost(kOpen));
  EXPECT_FALSE(held.IsLost(OpenId{2}));
  EXPECT_EQ(held.opens().size(), 1u);
  EXPECT_THAT(held.locks(), IsEmpty());
}

}  // namespace
}  // namespace tarn::transport
