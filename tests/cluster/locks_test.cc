// Locks between mounts: who has one, who waits, and what becomes of it when somebody dies.
#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

class SharedLockTest : public ClusterTest {};

class DeadClientLockTest : public ClusterTest {
 protected:
  std::vector<std::string> server_flags() const override { return ShortLifetime(); }
};

constexpr std::chrono::milliseconds kMoment{300};  // enough for a mistaken grant to show

TEST_F(SharedLockTest, ExcludesAndIsHandedOverBetweenMounts) {
  for (const char* kind : {"range", "flock"}) {
    SCOPED_TRACE(kind);
    LockHolder first(a() / kind, kind);
    ASSERT_TRUE(first.HoldsEventually());
    LockHolder second(b() / kind, kind);
    EXPECT_FALSE(second.HoldsEventually(kMoment));
    first.Stop();
    EXPECT_TRUE(second.HoldsEventually());
  }
}

TEST_F(SharedLockTest, OfAKilledProcessIsFree) {
  for (const char* kind : {"range", "flock"}) {
    SCOPED_TRACE(kind);
    LockHolder first(a() / kind, kind);
    ASSERT_TRUE(first.HoldsEventually());
    LockHolder second(b() / kind, kind);
    first.Kill();
    EXPECT_TRUE(second.HoldsEventually());
  }
}

TEST_F(SharedLockTest, KilledWaiterLeavesTheQueue) {
  LockHolder first(a() / "f", "range");
  ASSERT_TRUE(first.HoldsEventually());
  LockHolder killed(b() / "f", "range");
  LockHolder last(b() / "f", "range");
  EXPECT_FALSE(killed.HoldsEventually(kMoment));
  killed.Kill();
  first.Stop();
  EXPECT_TRUE(last.HoldsEventually());
}

TEST_F(DeadClientLockTest, IsFreeWithinTheSessionsLifetime) {
  const std::unique_ptr<RealMount> c = MountOn(3);
  LockHolder first(*c / "f", "range");
  ASSERT_TRUE(first.HoldsEventually());
  c->KillClient();
  EXPECT_EQ(Write(b() / "other", "x"), 0);  // nobody else is held up meanwhile
  LockHolder second(a() / "f", "range");
  EXPECT_TRUE(second.HoldsEventually());
}

TEST_F(SharedLockTest, SurvivesARestartOfTheServer) {
  LockHolder first(a() / "f", "range");
  ASSERT_TRUE(first.HoldsEventually());
  LockHolder waiting(b() / "f", "range");
  server().Restart();
  ASSERT_EQ(Write(a() / "g", "x"), 0);
  EXPECT_FALSE(waiting.HoldsEventually(kMoment));
  first.Stop();
  EXPECT_TRUE(waiting.HoldsEventually());
}

}  // namespace
}  // namespace tarn::testing
