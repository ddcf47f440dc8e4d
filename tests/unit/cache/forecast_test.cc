#include "client/cache/forecast.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace tarn::cache {
namespace {

class ForecastTest : public ::testing::Test {
 protected:
  void LookUp(uint64_t ino, uint64_t size = 100, FileType type = FileType::kRegular) {
    Attr attr;
    attr.ino = Ino{ino};
    attr.type = type;
    attr.size = size;
    forecast_.NoteLookup(attr);
  }
  // Looks up `n` more files; every `step`-th is read.
  void LookUpMany(int n, int step) {
    for (int i = 0; i < n; ++i) {
      LookUp(++last_);
      if (step > 0 && i % step == 0) forecast_.NoteRead(Ino{last_}, 0, 100);
    }
  }
  Prefetch OfAttr(Ino ino) const { return forecast_.Of(GetAttrArgs{.inode = {ino, 0}}); }
  bool Expects() const { return forecast_.Of(LookupArgs{}).size > 0; }

  Forecast forecast_;
  uint64_t last_ = 1'000;
};

TEST_F(ForecastTest, ExpectsReadsWhereHalfOfWhatIsLookedUpIsRead) {
  EXPECT_FALSE(Expects());
  LookUpMany(32, 1);
  EXPECT_TRUE(Expects());
  LookUpMany(64, 2);
  EXPECT_TRUE(Expects());
  LookUpMany(64, 4);
  EXPECT_FALSE(Expects());
}

TEST_F(ForecastTest, StopsSoonWhenNothingIsReadAnyMore) {
  LookUpMany(64, 1);
  LookUpMany(static_cast<int>(Forecast::kPending + Forecast::kLookedAt), 0);
  EXPECT_FALSE(Expects());
}

TEST_F(ForecastTest, WhatIsLargeOrEmptyOrNoFileTellsNothing) {
  LookUpMany(64, 1);
  for (int i = 0; i < 100; ++i) {
    LookUp(1, 0);
    LookUp(2, kPrefetchMaxBytes + 1);
    LookUp(3, 100, FileType::kDirectory);
  }
  EXPECT_TRUE(Expects());
}

TEST_F(ForecastTest, KnownFileIsExpectedToBeReadFromWhereItWasLast) {
  const Ino ino{7};
  EXPECT_EQ(OfAttr(ino).size, 0u);
  forecast_.NoteRead(ino, 4096, 100);
  forecast_.NoteRead(ino, 8192, 100);  // goes on
  EXPECT_EQ(OfAttr(ino).offset, 4096u);
  forecast_.NoteAttr(ino);
  forecast_.NoteRead(ino, 12288, 100);
  EXPECT_EQ(OfAttr(ino).offset, 12288u);
  EXPECT_EQ(OfAttr(ino).size, kPrefetchMaxBytes);
}

TEST_F(ForecastTest, FileThatIsOnlyAskedAboutIsNot) {
  const Ino ino{7};
  forecast_.NoteRead(ino, 0, 100);
  forecast_.NoteAttr(ino);
  EXPECT_EQ(OfAttr(ino).size, 0u);
  forecast_.NoteRead(ino, 0, 100);
  EXPECT_GT(OfAttr(ino).size, 0u);
}

TEST_F(ForecastTest, LargeReadsTellNothing) {
  const Ino ino{7};
  forecast_.NoteRead(ino, 0, kPrefetchMaxBytes + 1);
  EXPECT_EQ(OfAttr(ino).size, 0u);
  forecast_.NoteRead(ino, 0, kPrefetchMaxBytes);
  EXPECT_GT(OfAttr(ino).size, 0u);
}

TEST_F(ForecastTest, RemembersSoManyFiles) {
  for (uint64_t i = 0; i <= Forecast::kRemembered; ++i) forecast_.NoteRead(Ino{i + 1}, 0, 100);
  EXPECT_EQ(OfAttr(Ino{1}).size, 0u);
  EXPECT_GT(OfAttr(Ino{2}).size, 0u);
}

}  // namespace
}  // namespace tarn::cache
