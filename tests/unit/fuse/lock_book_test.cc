#include "client/fuse/lock_book.h"

#include <gtest/gtest.h>

namespace tarn::fuse {
namespace {

constexpr Ino kIno{5};
constexpr OpenId kOpen{1}, kOtherOpen{2};
constexpr LockOwner kOwner{100}, kOtherOwner{200};

TEST(LockBook, CloseIsLocalWithoutLocks) {
  LockBook book;
  EXPECT_FALSE(book.TakeOwner(kIno, kOwner));
  EXPECT_FALSE(book.BeginRelease(kIno, kOpen));
}

TEST(LockBook, CloseIsSentOnceAfterALock) {
  LockBook book;
  book.Note(kIno, kOpen, kOwner);
  EXPECT_TRUE(book.TakeOwner(kIno, kOwner));
  EXPECT_FALSE(book.TakeOwner(kIno, kOwner));
}

TEST(LockBook, CloseByAnotherOwnerIsLocal) {
  LockBook book;
  book.Note(kIno, kOpen, kOwner);
  EXPECT_FALSE(book.TakeOwner(kIno, kOtherOwner));
  EXPECT_FALSE(book.TakeOwner(Ino{6}, kOwner));
}

TEST(LockBook, CloseDropsTheOwnersLocksOfEveryOpen) {
  LockBook book;
  book.Note(kIno, kOpen, kOwner);
  book.Note(kIno, kOtherOpen, kOwner);
  EXPECT_TRUE(book.TakeOwner(kIno, kOwner));
  EXPECT_FALSE(book.BeginRelease(kIno, kOpen));
  EXPECT_FALSE(book.BeginRelease(kIno, kOtherOpen));
}

TEST(LockBook, EndOfOneOpenLeavesTheOwnersLocksOfOthers) {
  LockBook book;
  book.Note(kIno, kOpen, kOwner);
  book.Note(kIno, kOtherOpen, kOwner);
  EXPECT_TRUE(book.BeginRelease(kIno, kOpen));
  book.EndRelease(kIno);
  EXPECT_TRUE(book.TakeOwner(kIno, kOwner));
}

TEST(LockBook, LockRequestWaitsForReleasesUnderWay) {
  LockBook book;
  book.Note(kIno, kOpen, kOwner);
  book.Note(kIno, kOtherOpen, kOtherOwner);
  ASSERT_TRUE(book.BeginRelease(kIno, kOpen));
  ASSERT_TRUE(book.BeginRelease(kIno, kOtherOpen));
  bool ran = false;
  book.AfterReleases(kIno, [&] { ran = true; });
  EXPECT_FALSE(ran);
  book.EndRelease(kIno);
  EXPECT_FALSE(ran);
  book.EndRelease(kIno);
  EXPECT_TRUE(ran);
}

TEST(LockBook, LockRequestOfAnotherInodeDoesNotWait) {
  LockBook book;
  book.Note(kIno, kOpen, kOwner);
  ASSERT_TRUE(book.BeginRelease(kIno, kOpen));
  bool ran = false;
  book.AfterReleases(Ino{6}, [&] { ran = true; });
  EXPECT_TRUE(ran);
  book.EndRelease(kIno);
}

TEST(LockBook, WaitingRequestMayTakeLocksItself) {
  LockBook book;
  book.Note(kIno, kOpen, kOwner);
  ASSERT_TRUE(book.BeginRelease(kIno, kOpen));
  book.AfterReleases(kIno, [&] { book.Note(kIno, kOtherOpen, kOtherOwner); });
  book.EndRelease(kIno);
  EXPECT_TRUE(book.TakeOwner(kIno, kOtherOwner));
}

}  // namespace
}  // namespace tarn::fuse
