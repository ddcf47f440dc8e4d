#include "common/siphash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace tarn {
namespace {

// The reference implementation's key 00 01 … 0f, read little-endian.
constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

TEST(SipHashTest, AgreesWithTheReferenceVectors) {
  // vectors_sip64 of the reference implementation: of the messages "", 00, 00 01, … each one byte
  // longer than the last.
  const uint64_t expected[] = {
      0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
      0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
      0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
      0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5};
  std::string message;
  for (const uint64_t value : expected) {
    EXPECT_EQ(SipHash(kKey, message), value) << message.size() << " bytes";
    message.push_back(static_cast<char>(message.size()));
  }
}

TEST(SipHashTest, OtherKeyGivesOtherHash) {
  EXPECT_NE(SipHash({1, 2}, "name"), SipHash({2, 1}, "name"));
}

TEST(NameHashTest, IsA63BitCookieAboveTheDots) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t hash = NameHash(kKey, "name-" + std::to_string(i));
    EXPECT_GE(hash, kFirstCookie);
    EXPECT_EQ(hash >> 63, 0u);
    seen.insert(hash);
  }
  EXPECT_EQ(seen.size(), 10'000u);
}

}  // namespace
}  // namespace tarn
