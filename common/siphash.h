// SipHash-2-4 (Aumasson, Bernstein 2012): the keyed hash of directory entry names and of handle
// tags. Server and client must agree on it to the bit, hence one definition here.
#pragma once

#include <cstdint>
#include <string_view>

namespace tarn {

struct SipKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
  bool operator==(const SipKey&) const = default;
};

// Thread safety: pure function. Test vectors: the reference implementation's.
uint64_t SipHash(const SipKey& key, std::string_view data);

// A name's place in its directory, which is also its readdir cookie: 63 bits, never below
// kFirstCookie (0: start of the directory, 1 and 2: after "." and after "..").
inline constexpr uint64_t kFirstCookie = 3;
uint64_t NameHash(const SipKey& key, std::string_view name);

}  // namespace tarn
