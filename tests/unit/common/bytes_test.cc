#include "common/bytes.h"

#include <gtest/gtest.h>

#include <memory>

namespace tarn {
namespace {

Bytes ThreeParts() {
  Bytes bytes = Bytes::FromString("hello ");
  bytes.Append(Bytes::Copy("big "));
  bytes.Append(Bytes::FromString("world"));
  return bytes;
}

TEST(BytesTest, PartsReadAsOne) {
  const Bytes bytes = ThreeParts();
  EXPECT_EQ(bytes.size(), 15u);
  EXPECT_EQ(bytes.slices().size(), 3u);
  EXPECT_EQ(bytes.ToString(), "hello big world");
}

TEST(BytesTest, EverySubRangeIsTheSameAsOfAString) {
  const Bytes bytes = ThreeParts();
  const std::string text = bytes.ToString();
  for (size_t offset = 0; offset <= text.size(); ++offset) {
    for (size_t n = 0; offset + n <= text.size(); ++n) {
      ASSERT_EQ(bytes.Sub(offset, n).ToString(), text.substr(offset, n)) << offset << "+" << n;
      std::string copied(n, '?');
      bytes.CopyTo(offset, n, copied.data());
      ASSERT_EQ(copied, text.substr(offset, n));
    }
  }
}

TEST(BytesTest, SubSharesInsteadOfCopying) {
  const Bytes bytes = Bytes::FromString("hello world");
  const Bytes part = bytes.Sub(6, 5);
  EXPECT_EQ(part.slices()[0].view.data(), bytes.slices()[0].view.data() + 6);
}

TEST(BytesTest, SlicesKeepTheirOwnerAlive) {
  auto owner = std::make_shared<std::string>("owned");
  const std::weak_ptr<std::string> watched = owner;
  Bytes part;
  {
    Bytes whole;
    whole.Append(ByteSlice{*owner, owner});
    owner.reset();
    part = whole.Sub(1, 3);
  }
  EXPECT_FALSE(watched.expired());
  EXPECT_EQ(part.ToString(), "wne");
  part = Bytes();
  EXPECT_TRUE(watched.expired());
}

TEST(BytesTest, EmptyPartsAreDropped) {
  Bytes bytes;
  bytes.Append(Bytes::FromString(""));
  bytes.Append(ByteSlice{});
  EXPECT_TRUE(bytes.empty());
  EXPECT_TRUE(bytes.slices().empty());
}

TEST(BytesTest, ZerosAreZerosOfAnyLength) {
  for (const size_t n : {size_t{0}, size_t{1}, size_t{4096}, size_t{4097}, size_t{3'000'001}}) {
    EXPECT_TRUE(Bytes::Zeros(n).ToString() == std::string(n, '\0')) << n;
  }
}

}  // namespace
}  // namespace tarn
