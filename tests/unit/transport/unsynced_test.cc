#include "client/transport/unsynced.h"

#include <gtest/gtest.h>

namespace tarn::transport {
namespace {

constexpr Ino kA{10}, kB{11};

TEST(Unsynced, WithoutALossNothingIsLost) {
  Unsynced unsynced;
  unsynced.Note(kA);
  EXPECT_FALSE(unsynced.TakeLost(kA));
  EXPECT_FALSE(unsynced.TakeLost(kNoIno));
}

TEST(Unsynced, WhatWasNotSyncedIsLostAndSaidOnce) {
  Unsynced unsynced;
  unsynced.Note(kA);
  unsynced.NotePowerLoss();
  EXPECT_FALSE(unsynced.TakeLost(kB));
  EXPECT_TRUE(unsynced.TakeLost(kA));
  EXPECT_FALSE(unsynced.TakeLost(kA));
}

TEST(Unsynced, ChangeDuringASyncIsNotCoveredByIt) {
  Unsynced unsynced;
  unsynced.Note(kA);
  const Unsynced::Mark began = unsynced.Begin();
  unsynced.Note(kB);
  unsynced.End(began);
  unsynced.NotePowerLoss();
  EXPECT_FALSE(unsynced.TakeLost(kA));
  EXPECT_TRUE(unsynced.TakeLost(kB));
}

TEST(Unsynced, SyncThatPowerWasLostDuringCoversNothing) {
  Unsynced unsynced;
  unsynced.Note(kA);
  const Unsynced::Mark began = unsynced.Begin();
  unsynced.NotePowerLoss();
  unsynced.End(began);
  EXPECT_TRUE(unsynced.TakeLost(kA));
}

TEST(Unsynced, ChangesAfterALossDoNotHideIt) {
  Unsynced unsynced;
  unsynced.Note(kA);
  unsynced.NotePowerLoss();
  unsynced.Note(kA);
  unsynced.End(unsynced.Begin());
  EXPECT_TRUE(unsynced.TakeLost(kNoIno));
}

TEST(Unsynced, TooMuchIsSaidOnceUntilTheNextSync) {
  Unsynced unsynced;
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
