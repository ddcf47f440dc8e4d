#include "server/state/request_budget.h"

#include <gtest/gtest.h>

#include <vector>

namespace tarn::state {
namespace {

constexpr int kShare = 10;  // requests
constexpr int kAll = kShare * static_cast<int>(kRequestShares);
constexpr uint64_t kTotal = kAll * kRequestOverheadBytes;

class RequestBudgetTest : public ::testing::Test {
 protected:
  RequestBudget budget_{kTotal};
  std::shared_ptr<PeerAccount> flood_ = budget_.AccountOf("10.0.0.1");
  std::shared_ptr<PeerAccount> other_ = budget_.AccountOf("10.0.0.2");
  std::vector<RequestBudget::Charge> charges_;

  bool Take(const std::shared_ptr<PeerAccount>& peer, uint64_t bytes = 0) {
    auto charge = budget_.Take(peer, bytes);
    if (!charge.has_value()) return false;
    charges_.push_back(*std::move(charge));
    return true;
  }
  int TakeAll(const std::shared_ptr<PeerAccount>& peer) {
    int taken = 0;
    while (taken < 1000 && Take(peer)) ++taken;
    return taken;
  }
};

TEST_F(RequestBudgetTest, FloodIsRefusedAtTheTotalAndOthersHaveTheirShare) {
  EXPECT_EQ(TakeAll(flood_), kAll);
  EXPECT_EQ(TakeAll(other_), kShare);
  EXPECT_FALSE(Take(flood_));
  charges_.clear();
  EXPECT_EQ(budget_.bytes(), 0u);
  EXPECT_EQ(TakeAll(other_), kAll);
}

TEST_F(RequestBudgetTest, WhatIsRefusedTakesNothing) {
  TakeAll(flood_);
  const uint64_t bytes = budget_.bytes();
  EXPECT_FALSE(Take(flood_, 1'000'000'000));
  EXPECT_EQ(budget_.bytes(), bytes);
  EXPECT_TRUE(Take(other_));
}

TEST_F(RequestBudgetTest, LengthOfTheMessageCounts) {
  EXPECT_TRUE(Take(flood_, kTotal - kRequestOverheadBytes));
  EXPECT_FALSE(Take(flood_));
  EXPECT_TRUE(Take(other_));
}

TEST_F(RequestBudgetTest, SessionsOfOneAddressShareAnAccount) {
  EXPECT_EQ(budget_.AccountOf("10.0.0.1"), flood_);
  EXPECT_NE(budget_.AccountOf("10.0.0.3"), flood_);
}

TEST_F(RequestBudgetTest, AccountsThatNobodyHasAreForgotten) {
  const std::weak_ptr<PeerAccount> gone = budget_.AccountOf("10.0.0.4");
  EXPECT_TRUE(gone.expired());
  EXPECT_EQ(budget_.AccountOf("10.0.0.4")->bytes, 0u);
}

}  // namespace
}  // namespace tarn::state
