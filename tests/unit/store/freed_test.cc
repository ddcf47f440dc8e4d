#include "server/store/freed.h"

#include <gtest/gtest.h>

namespace tarn::store {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(FreedSpaceTest, NeighboursBecomeOneRun) {
  FreedSpace freed;
  freed.Note(DataId{100}, kMiB);
  freed.Note(DataId{102}, kMiB);
  freed.Note(DataId{90}, kMiB);
  EXPECT_FALSE(freed.Take());  // 3 MiB are not worth it
  freed.Note(DataId{101}, kMiB);
  EXPECT_EQ(freed.Take(), (FreedSpace::Run{DataId{90}, DataId{102}, 4 * kMiB}));
  EXPECT_FALSE(freed.Take());
}

TEST(FreedSpaceTest, NoteBetweenTwoRunsJoinsThem) {
  FreedSpace freed;
  freed.Note(DataId{100}, 2 * kMiB);
  freed.Note(DataId{130}, 2 * kMiB);
  EXPECT_FALSE(freed.Take());
  freed.Note(DataId{115}, 1);
  EXPECT_EQ(freed.Take(), (FreedSpace::Run{DataId{100}, DataId{130}, 4 * kMiB + 1}));
}

TEST(FreedSpaceTest, FarOnesStayApart) {
  FreedSpace freed;
  freed.Note(DataId{100}, 4 * kMiB);
  freed.Note(DataId{200}, 5 * kMiB);
  EXPECT_EQ(freed.Take(), (FreedSpace::Run{DataId{100}, DataId{100}, 4 * kMiB}));
  EXPECT_EQ(freed.Take(), (FreedSpace::Run{DataId{200}, DataId{200}, 5 * kMiB}));
}

}  // namespace
}  // namespace tarn::store
