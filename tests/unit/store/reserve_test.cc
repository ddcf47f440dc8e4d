#include "server/store/reserve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect.h"

namespace tarn::store {
namespace {

TEST(DiskReserveTest, ContentsAreRefusedWhenOnlyTheReserveIsLeft) {
  DiskReserve reserve("/", UINT64_MAX / 2);  // more than any disk has
  const Status refused = reserve.Take(4096);
  EXPECT_ERROR(kENOSPC, refused);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("kept for deletions"));
  EXPECT_OK(reserve.Take(0));  // no contents: always
}

TEST(DiskReserveTest, ContentsArePassedWhileThereIsRoom) {
  DiskReserve reserve("/", 0);
  for (int i = 0; i < 100; ++i) EXPECT_OK(reserve.Take(1 << 20));
}

}  // namespace
}  // namespace tarn::store
