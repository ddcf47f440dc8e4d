#include "common/siphash.h"

#include <bit>
#include <cstring>

namespace tarn {
namespace {

struct State {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void Word(uint64_t m) {
    v3 ^= m;
    Round();
    Round();
    v0 ^= m;
  }
};

uint64_t LittleEndian(const char* p, size_t n) {
  uint64_t word = 0;
  std::memcpy(&word, p, n);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

}  // namespace

uint64_t SipHash(const SipKey& key, std::string_view data) {
  State s{key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d, key.k0 ^ 0x6c7967656e657261,
          key.k1 ^ 0x7465646279746573};
  size_t whole = data.size() / 8 * 8;
  for (size_t i = 0; i < whole; i += 8) s.Word(LittleEndian(data.data() + i, 8));
  uint64_t last = static_cast<uint64_t>(data.size()) << 56;
  if (whole != data.size()) last |= LittleEndian(data.data() + whole, data.size() - whole);
  s.Word(last);
  s.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) s.Round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t NameHash(const SipKey& key, std::string_view name) {
  uint64_t hash = SipHash(key, name) >> 1;
  return hash < kFirstCookie ? hash + kFirstCookie : hash;
}

}  // namespace tarn
