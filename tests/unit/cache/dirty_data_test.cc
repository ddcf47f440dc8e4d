#include "client/cache/dirty_data.h"

#include <gtest/gtest.h>

#include <random>

namespace tarn::cache {
namespace {

TEST(DirtyDataTest, LaterLiesOverEarlier) {
  DirtyData data;
  data.Put(10, Bytes::FromString("aaaaaaaaaa"));
  data.Put(12, Bytes::FromString("bbb"));
  data.Put(18, Bytes::FromString("cccc"));
  EXPECT_EQ(data.bytes(), 12u);
  EXPECT_TRUE(data.Covers(10, 12));
  EXPECT_EQ(data.Copy(10, 12).ToString(), "aabbbaaacccc");
  EXPECT_FALSE(data.Covers(9, 2));
  EXPECT_TRUE(data.Touches(9, 2));
  EXPECT_FALSE(data.Touches(22, 5));
  EXPECT_FALSE(data.Touches(12, 0));
}

TEST(DirtyDataTest, PiecesEndAtMultiples) {
  DirtyData data;
  data.Put(5, Bytes::FromString(std::string(20, 'x')));
  data.Put(100, Bytes::FromString("y"));
  const auto pieces = data.Pieces(10);
  ASSERT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pieces[0].offset, 5u);
  EXPECT_EQ(pieces[0].data.size(), 5u);
  EXPECT_EQ(pieces[1].offset, 10u);
  EXPECT_EQ(pieces[1].data.size(), 10u);
  EXPECT_EQ(pieces[2].data.size(), 5u);
  EXPECT_EQ(pieces[3].data.ToString(), "y");
}

TEST(DirtyDataTest, RandomPutsAreThoseOfPlainBytes) {
  constexpr size_t kLength = 300;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::string plain(kLength, '\0');  // NUL: never put
    DirtyData data;
    for (int step = 0; step < 200; ++step) {
      const size_t offset = random() % kLength;
      const size_t n = random() % std::min<size_t>(kLength - offset, 40) + 1;
      std::string bytes(n, static_cast<char>('a' + step % 26));
      plain.replace(offset, n, bytes);
      data.Put(offset, Bytes::FromString(bytes));
      const size_t from = random() % kLength;
      const size_t some = random() % (kLength - from) + 1;
      const std::string want = plain.substr(from, some);
      ASSERT_EQ(data.Touches(from, some), want != std::string(some, '\0'));
      ASSERT_EQ(data.Covers(from, some), want.find('\0') == std::string::npos);
      if (data.Covers(from, some)) {
        ASSERT_EQ(data.Copy(from, some).ToString(), want);
      }
    }
    size_t present = 0;
    for (const char c : plain) present += c != '\0' ? 1 : 0;
    ASSERT_EQ(data.bytes(), present);
    std::string told(kLength, '\0');
    for (const auto& piece : data.Pieces(64)) {
      ASSERT_LE(piece.offset % 64 + piece.data.size(), 64u);
      told.replace(piece.offset, piece.data.size(), piece.data.ToString());
    }
    ASSERT_EQ(told, plain);
  }
}

}  // namespace
}  // namespace tarn::cache
