#include "server/store/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tarn::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint32_t kB = 16384;
const Layout kLayout(kB);

TEST(LayoutTest, SplitCutsAtBlocks) {
  EXPECT_THAT(kLayout.Split(0, 0), IsEmpty());
  EXPECT_THAT(kLayout.Split(5, 10), ElementsAre(BlockPart{0, 5, 15}));
  EXPECT_THAT(kLayout.Split(0, kB), ElementsAre(BlockPart{0, 0, kB}));
  EXPECT_THAT(kLayout.Split(kB - 1, 2), ElementsAre(BlockPart{0, kB - 1, kB}, BlockPart{1, 0, 1}));
  EXPECT_THAT(kLayout.Split(kB - 1, kB + 2),
              ElementsAre(BlockPart{0, kB - 1, kB}, BlockPart{1, 0, kB}, BlockPart{2, 0, 1}));
}

TEST(LayoutTest, LargestFileHasAnIndexForEachBlock) {
  EXPECT_EQ(kLayout.BlockCount(kFileMaxBytes), (kFileMaxBytes + kB - 1) / kB);
  EXPECT_EQ(kLayout.Split(kFileMaxBytes - 1, 1)[0].index, kLayout.BlockCount(kFileMaxBytes) - 1);
}

TEST(LayoutTest, CountsRoundUp) {
  EXPECT_EQ(kLayout.BlockCount(0), 0u);
  EXPECT_EQ(kLayout.BlockCount(1), 1u);
  EXPECT_EQ(kLayout.BlockCount(kB), 1u);
  EXPECT_EQ(kLayout.BlockCount(kB + 1), 2u);
  EXPECT_EQ(Layout::Allocation(0), 0u);
  EXPECT_EQ(Layout::Allocation(1), 4096u);
  EXPECT_EQ(Layout::Allocation(4097), 8192u);
  EXPECT_EQ(kLayout.BytesIn(0, 100), 100u);
  EXPECT_EQ(kLayout.BytesIn(1, kB + 5), 5u);
  EXPECT_EQ(kLayout.BytesIn(2, kB + 5), 0u);
}

TEST(LayoutTest, DenseMeansEveryUnitIsThere) {
  EXPECT_TRUE(Layout::IsDense(0, 0));
  EXPECT_TRUE(Layout::IsDense(100, 4096));
  EXPECT_FALSE(Layout::IsDense(5000, 4096));
}

}  // namespace
}  // namespace tarn::store
