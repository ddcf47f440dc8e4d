#include "client/fuse/convert.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include <limits>

namespace tarn::fuse {
namespace {

TEST(Convert, TimeBeforeTheEpochKeepsItsNanoseconds) {
  timespec t = ToTimespec({-1});
  EXPECT_EQ(t.tv_sec, -1);
  EXPECT_EQ(t.tv_nsec, 999'999'999);
  EXPECT_EQ(FromTimespec(t), (Timestamp{-1}));
}

TEST(Convert, TimeBeyondTheRangeIsClamped) {
  EXPECT_EQ(FromTimespec({.tv_sec = std::numeric_limits<time_t>::max(), .tv_nsec = 0}).ns,
            std::numeric_limits<int64_t>::max());
  EXPECT_EQ(FromTimespec({.tv_sec = std::numeric_limits<time_t>::min(), .tv_nsec = 5}).ns,
            std::numeric_limits<int64_t>::min());
}

TEST(Convert, ModeCarriesTheType) {
  for (mode_t type : {S_IFIFO, S_IFCHR, S_IFDIR, S_IFBLK, S_IFREG, S_IFLNK, S_IFSOCK}) {
    auto known = TypeOfMode(type | 0644);
    ASSERT_TRUE(known);
    EXPECT_EQ(ToMode(*known, 0644), type | 0644);
  }
  EXPECT_FALSE(TypeOfMode(0644));
}

TEST(Convert, StatFsWithoutLimitShowsEightExbibytes) {
  struct statvfs st = ToStatVfs({.bytes_total = 0, .bytes_used = uint64_t{1} << 30});
  EXPECT_EQ(st.f_blocks * st.f_frsize, kUnlimitedBytes);
  EXPECT_EQ((st.f_blocks - st.f_bfree) * st.f_frsize, uint64_t{1} << 30);
}

TEST(Convert, StatFsOverItsQuotaShowsNothingFree) {
  EXPECT_EQ(ToStatVfs({.bytes_total = 4096, .bytes_used = 8192}).f_bfree, 0u);
}

TEST(Convert, AccessModeThreeIsNeitherReadNorWrite) {
  EXPECT_EQ(AccessOfFlags(O_RDWR | O_APPEND), OpenAccess::kReadWrite);
  EXPECT_EQ(AccessOfFlags(O_WRONLY), OpenAccess::kWrite);
  EXPECT_EQ(AccessOfFlags(3), OpenAccess::kNone);
}

TEST(Convert, UnsupportedModesAreRefused) {
  EXPECT_FALSE(AllocateModeOf(FALLOC_FL_COLLAPSE_RANGE));
  EXPECT_FALSE(AllocateModeOf(FALLOC_FL_PUNCH_HOLE));
  EXPECT_EQ(AllocateModeOf(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE), AllocateMode::kPunchHole);
  EXPECT_FALSE(RenameModeOf(RENAME_WHITEOUT));
  EXPECT_FALSE(RenameModeOf(RENAME_NOREPLACE | RENAME_EXCHANGE));
  EXPECT_FALSE(XattrModeOf(3));
}

TEST(Convert, LockToTheEndGoesBothWays) {
  struct flock in {};
  in.l_type = F_WRLCK;
  in.l_start = 10;
  auto lock = FromFlock(in);
  ASSERT_TRUE(lock);
  EXPECT_EQ(lock->end, kLockToEnd);
  EXPECT_EQ(ToFlock(*lock).l_len, 0);
}

TEST(Convert, LockOfOneByteGoesBothWays) {
  struct flock in {};
  in.l_type = F_RDLCK;
  in.l_start = 10;
  in.l_len = 1;
  auto lock = FromFlock(in);
  ASSERT_TRUE(lock);
  EXPECT_EQ(lock->start, 10u);
  EXPECT_EQ(lock->end, 10u);
  EXPECT_EQ(ToFlock(*lock).l_len, 1);
  EXPECT_EQ(ToFlock(*lock).l_type, F_RDLCK);
}

}  // namespace
}  // namespace tarn::fuse
