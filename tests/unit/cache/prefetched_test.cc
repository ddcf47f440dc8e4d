#include "client/cache/prefetched.h"

#include <gtest/gtest.h>

namespace tarn::cache {
namespace {

constexpr Ino kFile{7}, kOther{8};

class PrefetchedTest : public ::testing::Test {
 protected:
  void Put(Ino ino, uint64_t offset, const std::string& data) {
    prefetched_.Put(ino, offset, Bytes::FromString(data));
  }
  std::string Read(uint64_t offset, uint64_t size, uint64_t file_size) {
    const auto data = prefetched_.Read(kFile, offset, size, file_size);
    return data.has_value() ? data->ToString() : "not here";
  }

  Prefetched prefetched_{10};
};

TEST_F(PrefetchedTest, AnswersReadsOfWhatIsHere) {
  Put(kFile, 4, "efgh");
  EXPECT_EQ(Read(4, 4, 8), "efgh");
  EXPECT_EQ(Read(5, 2, 8), "fg");
  EXPECT_EQ(Read(6, 100, 8), "gh");
  EXPECT_EQ(Read(8, 100, 8), "");
  EXPECT_EQ(Read(100, 1, 8), "");
}

TEST_F(PrefetchedTest, AnswersNothingElse) {
  EXPECT_EQ(Read(0, 1, 8), "not here");
  Put(kFile, 4, "efgh");
  EXPECT_EQ(Read(3, 2, 8), "not here");
  EXPECT_EQ(Read(0, 1, 8), "not here");
  EXPECT_EQ(Read(6, 3, 9), "not here");
  EXPECT_EQ(Read(8, 1, 9), "not here");
  EXPECT_EQ(Read(UINT64_MAX, UINT64_MAX, UINT64_MAX), "");
}

TEST_F(PrefetchedTest, DroppedIsGone) {
  Put(kFile, 0, "abc");
  EXPECT_TRUE(prefetched_.Has(kFile));
  prefetched_.Drop(kFile);
  EXPECT_FALSE(prefetched_.Has(kFile));
  EXPECT_EQ(Read(0, 1, 3), "not here");
  Put(kFile, 0, "abc");
  prefetched_.Clear();
  EXPECT_EQ(Read(0, 1, 3), "not here");
}

TEST_F(PrefetchedTest, LongestKeptGoFirst) {
  Put(kFile, 0, "12345");
  Put(kOther, 0, "12345");
  EXPECT_TRUE(prefetched_.Has(kFile));
  Put(kFile, 0, "1234");  // anew
  Put(Ino{9}, 0, "123");
  EXPECT_FALSE(prefetched_.Has(kOther));
  EXPECT_EQ(Read(0, 4, 4), "1234");
}

}  // namespace
}  // namespace tarn::cache
