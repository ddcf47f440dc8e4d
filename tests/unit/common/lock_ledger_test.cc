#include "common/lock_ledger.h"

#include <gtest/gtest.h>

namespace tarn {
namespace {

constexpr Ino kFile{7};

SetLockArgs Lock(uint64_t owner, LockType type, uint64_t start, uint64_t end, uint64_t open = 1,
                 LockKind kind = LockKind::kRange) {
  SetLockArgs args;
  args.inode.ino = kFile;
  args.open = OpenId{open};
  args.owner = LockOwner{owner};
  args.kind = kind;
  args.lock = {.type = type, .start = start, .end = end};
  return args;
}

TEST(LockLedgerTest, RangesOfOneOwnerReplaceEachOther) {
  LockLedger ledger;
  ledger.Note(Lock(1, LockType::kWrite, 0, 99));
  ledger.Note(Lock(1, LockType::kUnlock, 10, 19));
  ledger.Note(Lock(1, LockType::kRead, 50, 59));
  EXPECT_EQ(ledger.All().size(), 4u);
  const auto blocks = [&](uint64_t start, uint64_t end, LockType type) {
    return ledger.Blocker(kFile, LockKind::kRange, LockOwner{2},
                          {.type = type, .start = start, .end = end});
  };
  EXPECT_EQ(blocks(0, 99, LockType::kRead)->start, 0u);
  EXPECT_EQ(blocks(10, 19, LockType::kWrite), std::nullopt);
  EXPECT_EQ(blocks(50, 59, LockType::kRead), std::nullopt);
  EXPECT_EQ(blocks(50, 59, LockType::kWrite)->type, LockType::kRead);
  EXPECT_EQ(ledger.Blocker(kFile, LockKind::kRange, LockOwner{1}, {.type = LockType::kWrite}),
            std::nullopt);
}

TEST(LockLedgerTest, WhatTouchesIsShownAsOne) {
  LockLedger ledger;
  ledger.Note(Lock(1, LockType::kWrite, 4, kLockToEnd));
  ledger.Note(Lock(1, LockType::kWrite, 8199, kLockToEnd));
  ledger.Note(Lock(1, LockType::kWrite, 0, 3));
  ASSERT_EQ(ledger.All().size(), 1u);
  EXPECT_EQ(ledger.All()[0].lock.start, 0u);
  EXPECT_EQ(ledger.All()[0].lock.end, kLockToEnd);
  ledger.Note(Lock(1, LockType::kRead, 10, 19));
  ledger.Note(Lock(1, LockType::kRead, 30, 39));
  ledger.Note(Lock(1, LockType::kRead, 20, 29, /*open=*/2));  // of another open
  EXPECT_EQ(ledger.All().size(), 5u);
}

TEST(LockLedgerTest, TestShowsWhatIsInTheWayOrOnesOwn) {
  LockLedger ledger;
  ledger.Note(Lock(1, LockType::kWrite, 50, 60));
  ledger.Note(Lock(1, LockType::kRead, 10, 20));
  const auto test = [&](uint64_t owner, LockType type, uint64_t start, uint64_t end) {
    return ledger.Test(kFile, LockOwner{owner}, {.type = type, .start = start, .end = end});
  };
  EXPECT_EQ(test(2, LockType::kWrite, 0, kLockToEnd).start, 10u);
  EXPECT_EQ(test(2, LockType::kRead, 0, kLockToEnd).start, 50u);
  EXPECT_EQ(test(1, LockType::kWrite, 0, kLockToEnd).type, LockType::kUnlock);
  EXPECT_EQ(test(1, LockType::kUnlock, 0, kLockToEnd).start, 10u);
  EXPECT_EQ(test(1, LockType::kUnlock, 21, kLockToEnd).start, 50u);
  EXPECT_EQ(test(1, LockType::kUnlock, 21, 49).type, LockType::kUnlock);
  EXPECT_EQ(test(2, LockType::kUnlock, 0, kLockToEnd).type, LockType::kUnlock);
}

TEST(LockLedgerTest, KindsDoNotMeet) {
  LockLedger ledger;
  ledger.Note(Lock(1, LockType::kWrite, 0, kLockToEnd, 1, LockKind::kFlock));
  EXPECT_EQ(ledger.Blocker(kFile, LockKind::kRange, LockOwner{2}, {.type = LockType::kWrite}),
            std::nullopt);
  EXPECT_TRUE(ledger.Blocker(kFile, LockKind::kFlock, LockOwner{2}, {.type = LockType::kRead}));
}

TEST(LockLedgerTest, OwnersAndOpensTakeTheirsWithThem) {
  LockLedger ledger;
  ledger.Note(Lock(1, LockType::kWrite, 0, 9, 1));
  ledger.Note(Lock(1, LockType::kWrite, 20, 29, 2));
  ledger.Note(Lock(1, LockType::kRead, 0, kLockToEnd, 2, LockKind::kFlock));
  ledger.DropOpen(kFile, OpenId{1});
  EXPECT_EQ(ledger.All().size(), 2u);
  ledger.DropOwner(kFile, LockOwner{1});  // of ranges; a flock is its open's
  EXPECT_EQ(ledger.All().size(), 1u);
  EXPECT_TRUE(ledger.Holds(kFile));
  EXPECT_EQ(ledger.Take(kFile).size(), 1u);
  EXPECT_FALSE(ledger.Holds(kFile));
  EXPECT_TRUE(ledger.empty());
}

}  // namespace
}  // namespace tarn
