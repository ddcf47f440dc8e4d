#include "common/fault.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/expect.h"

namespace tarn {
namespace {

class FaultTest : public ::testing::Test {
 protected:
  ~FaultTest() override { (void)ArmFaults(""); }
};

TEST_F(FaultTest, UnarmedPointsPass) {
  EXPECT_FALSE(FaultHits(FaultPoint::kCommitBefore));
}

TEST_F(FaultTest, PointFailsEachTimeAndOthersPass) {
  ASSERT_OK(ArmFaults("wal.sync=fail"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(FaultHits(FaultPoint::kWalSync));
  EXPECT_FALSE(FaultHits(FaultPoint::kCommitBefore));
  ASSERT_OK(ArmFaults(""));
  EXPECT_FALSE(FaultHits(FaultPoint::kWalSync));
}

TEST_F(FaultTest, OnlyTheNumberedTimeCounts) {
  ASSERT_OK(ArmFaults("reply.send=fail@2;recall.send=fail@1"));
  EXPECT_FALSE(FaultHits(FaultPoint::kReplySend));
  EXPECT_TRUE(FaultHits(FaultPoint::kReplySend));
  EXPECT_FALSE(FaultHits(FaultPoint::kReplySend));
  EXPECT_TRUE(FaultHits(FaultPoint::kRecallSend));
}

TEST_F(FaultTest, ProbabilityIsKept) {
  ASSERT_OK(ArmFaults("client.send=fail:0.25"));
  int failed = 0;
  for (int i = 0; i < 4000; ++i) failed += FaultHits(FaultPoint::kClientSend) ? 1 : 0;
  EXPECT_GT(failed, 800);
  EXPECT_LT(failed, 1200);
}

TEST_F(FaultTest, DelayWaits) {
  ASSERT_OK(ArmFaults("commit.after=delay:30ms"));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(FaultHits(FaultPoint::kCommitAfter));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(29));
}

TEST_F(FaultTest, CrashEndsTheProcessWithItsOwnStatus) {
  ASSERT_OK(ArmFaults("grace.end=crash@2"));
  EXPECT_FALSE(FaultHits(FaultPoint::kGraceEnd));
  EXPECT_EXIT(FaultHits(FaultPoint::kGraceEnd), ::testing::ExitedWithCode(kFaultExitStatus), "");
}

TEST_F(FaultTest, WhatMakesNoSenseIsRefusedAndArmsNothing) {
  for (const char* list :
       {"no.such=crash", "commit.before", "commit.before=", "commit.before=crash:1",
        "commit.before=fail:2", "commit.before=fail:x", "commit.after=fail", "wal.sync=delay",
        "wal.sync=delay:-1s", "wal.sync=fail@0", "wal.sync=fail@x", "wal.sync=fail@1@2",
        "wal.sync=fail;nothing"}) {
    EXPECT_ERROR(kEINVAL, ArmFaults(list)) << list;
    EXPECT_FALSE(FaultHits(FaultPoint::kWalSync)) << list;
  }
}

}  // namespace
}  // namespace tarn
