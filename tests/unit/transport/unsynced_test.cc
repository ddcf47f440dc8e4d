#include "client/transport/unsynced.h"

#include <gtest/gtest.h>

namespace tarn::transport {
namespace {

constexpr Ino kA{10}, kB{11};

class UnsyncedTest : public ::testing::Test {
 protected:
  UnsyncedTest() { EXPECT_FALSE(unsynced.NoteIncarnation(incarnation_)); }
  void LosePower() { EXPECT_TRUE(unsynced.NoteIncarnation(++incarnation_)); }

  Unsynced unsynced;

 private:
  uint64_t incarnation_ = 77;
};

TEST_F(UnsyncedTest, SameIncarnationIsNoLoss) {
  unsynced.Note(kA);
  EXPECT_FALSE(unsynced.NoteIncarnation(77));
  EXPECT_FALSE(unsynced.TakeLost(kA));
}

TEST_F(UnsyncedTest, WithoutALossNothingIsLost) {
  unsynced.Note(kA);
  EXPECT_FALSE(unsynced.TakeLost(kA));
  EXPECT_FALSE(unsynced.TakeLost(kNoIno));
}

TEST_F(UnsyncedTest, WhatWasNotSyncedIsLostAndSaidOnce) {
  unsynced.Note(kA);
  LosePower();
  EXPECT_FALSE(unsynced.TakeLost(kB));
  EXPECT_TRUE(unsynced.TakeLost(kA));
  EXPECT_FALSE(unsynced.TakeLost(kA));
}

TEST_F(UnsyncedTest, ChangeDuringASyncIsNotCoveredByIt) {
  unsynced.Note(kA);
  const Unsynced::Mark began = unsynced.Begin();
  unsynced.Note(kB);
  unsynced.End(began);
  LosePower();
  EXPECT_FALSE(unsynced.TakeLost(kA));
  EXPECT_TRUE(unsynced.TakeLost(kB));
}

TEST_F(UnsyncedTest, SyncThatPowerWasLostDuringCoversNothing) {
  unsynced.Note(kA);
  const Unsynced::Mark began = unsynced.Begin();
  LosePower();
  unsynced.End(began);
  EXPECT_TRUE(unsynced.TakeLost(kA));
}

TEST_F(UnsyncedTest, ChangesAfterALossDoNotHideIt) {
  unsynced.Note(kA);
  LosePower();
  unsynced.Note(kA);
  unsynced.End(unsynced.Begin());
  EXPECT_TRUE(unsynced.TakeLost(kNoIno));
}

TEST_F(UnsyncedTest, TooMuchIsSaidAgainIfItWasNotSynced) {
  for (uint64_t i = 1; i <= Unsynced::kMaxInodes; ++i) unsynced.Note(Ino{i});
  EXPECT_TRUE(unsynced.TakeFull());
  for (uint64_t i = 1; i < Unsynced::kMaxInodes; ++i) unsynced.Note(Ino{i});
  EXPECT_FALSE(unsynced.TakeFull());
  unsynced.Note(kA);
  EXPECT_TRUE(unsynced.TakeFull());
}

TEST_F(UnsyncedTest, TooMuchIsSaidOnceUntilTheNextSync) {
  for (uint64_t i = 1; i < Unsynced::kMaxInodes; ++i) unsynced.Note(Ino{i});
  EXPECT_FALSE(unsynced.TakeFull());
  unsynced.Note(Ino{Unsynced::kMaxInodes});
  EXPECT_TRUE(unsynced.TakeFull());
  EXPECT_FALSE(unsynced.TakeFull());
  unsynced.End(unsynced.Begin());
  EXPECT_FALSE(unsynced.TakeFull());
  for (uint64_t i = 1; i <= Unsynced::kMaxInodes; ++i) unsynced.Note(Ino{i});
  EXPECT_TRUE(unsynced.TakeFull());
}

}  // namespace
}  // namespace tarn::transport
