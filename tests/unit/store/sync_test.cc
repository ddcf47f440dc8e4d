#include "server/store/sync.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

#include "common/sync.h"
#include "tests/support/expect.h"
#include "tests/support/mem_kv.h"

namespace tarn::store {
namespace {

// What waits while one sync runs is answered together by the next.
TEST(WalSyncTest, OneSyncAnswersAllThatWaitedBeforeIt) {
  testing::MemKv kv;
  Notification first_runs, let_first_end;
  std::atomic<bool> first = true;
  kv.SetBeforeSync([&] {
    if (!first.exchange(false)) return;
    first_runs.Notify();
    let_first_end.WaitForNotification();
  });
  WalSync sync(kv);
  constexpr int kCallers = 100;
  std::latch answered(kCallers + 1);
  auto count = [&answered](Status status) {
    EXPECT_OK(status);
    answered.count_down();
  };
  sync.Sync(count);
  first_runs.WaitForNotification();
  for (int i = 0; i < kCallers; ++i) {
    sync.NoteWrite();
    sync.Sync(count);
  }
  let_first_end.Notify();
  answered.wait();
  EXPECT_EQ(kv.syncs(), 2);
}

TEST(WalSyncTest, NothingWrittenMeansNothingToWaitFor) {
  testing::MemKv kv;
  WalSync sync(kv);
  EXPECT_OK(sync.SyncAndWait());
  EXPECT_OK(sync.SyncAndWait());
  EXPECT_EQ(kv.syncs(), 1);
  sync.NoteWrite();
  EXPECT_OK(sync.SyncAndWait());
  EXPECT_EQ(kv.syncs(), 2);
}

TEST(WalSyncTest, FailureReachesTheCallerAndIsTriedAgain) {
  testing::MemKv kv;
  WalSync sync(kv);
  kv.FailNextSync(Errno::kEIO);
  EXPECT_ERROR(kEIO, sync.SyncAndWait());
  EXPECT_OK(sync.SyncAndWait());
  EXPECT_EQ(kv.syncs(), 1);
}

TEST(WalSyncTest, EndAnswersWhoWaits) {
  testing::MemKv kv;
  std::atomic<int> answered = 0;
  {
    WalSync sync(kv);
    for (int i = 0; i < 10; ++i) sync.Sync([&](Status) { ++answered; });
  }
  EXPECT_EQ(answered, 10);
}

}  // namespace
}  // namespace tarn::store
