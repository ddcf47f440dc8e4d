#include "server/store/keys.h"

#include <endian.h>
#include <fmt/format.h>

#include <cstring>

namespace tarn::store {
namespace {

constexpr char kOrphanTag = 'i';
constexpr char kGarbageTag = 'd';
constexpr size_t kSessionBytes = 16;

template <class T>
std::string BytesOf(T n) {
  return std::string(reinterpret_cast<const char*>(&n), sizeof(n));
}

template <class T>
std::optional<T> Load(std::string_view bytes) {
  T n;
  if (bytes.size() != sizeof(n)) return std::nullopt;
  std::memcpy(&n, bytes.data(), sizeof(n));
  return n;
}

std::optional<uint64_t> ReadTagged(char tag, std::string_view key) {
  if (key.empty() || key[0] != tag) return std::nullopt;
  return ReadBe64(key.substr(1));
}

}  // namespace

std::string Be32(uint32_t n) { return BytesOf(htobe32(n)); }
std::string Be64(uint64_t n) { return BytesOf(htobe64(n)); }

std::optional<uint32_t> ReadBe32(std::string_view bytes) {
  auto n = Load<uint32_t>(bytes);
  return n ? std::optional(be32toh(*n)) : std::nullopt;
}

std::optional<uint64_t> ReadBe64(std::string_view bytes) {
  auto n = Load<uint64_t>(bytes);
  return n ? std::optional(be64toh(*n)) : std::nullopt;
}

std::optional<int64_t> ReadLe64(std::string_view bytes) {
  auto n = Load<uint64_t>(bytes);
  return n ? std::optional(static_cast<int64_t>(le64toh(*n))) : std::nullopt;
}

std::string InodeKey(Ino ino) { return Be64(Raw(ino)); }

std::string DentryKey(Ino dir, uint64_t hash, std::string_view name) {
  std::string key;
  key.reserve(16 + name.size());
  return key.append(Be64(Raw(dir))).append(Be64(hash)).append(name);
}

std::string DentryLowerKey(Ino dir, uint64_t hash) { return DentryKey(dir, hash, {}); }

std::optional<DentryKeyParts> ParseDentryKey(std::string_view key) {
  if (key.size() <= 16) return std::nullopt;
  return DentryKeyParts{*ReadBe64(key.substr(8, 8)), key.substr(16)};
}

std::string XattrKey(Ino ino, std::string_view name) { return Be64(Raw(ino)).append(name); }

std::string_view XattrName(std::string_view key) { return key.substr(8); }

std::string BlockKey(DataId data, uint32_t index) {
  return Be64(Raw(data)).append(Be32(index));
}

std::optional<uint32_t> BlockIndexOf(std::string_view key) {
  return key.size() == 12 ? ReadBe32(key.substr(8)) : std::nullopt;
}

std::string BlockUpperKey(DataId data) { return PrefixEnd(Be64(Raw(data))); }

std::string OrphanKey(Ino ino) { return kOrphanTag + Be64(Raw(ino)); }

std::optional<Ino> ParseOrphanKey(std::string_view key) {
  auto n = ReadTagged(kOrphanTag, key);
  return n ? std::optional(Ino{*n}) : std::nullopt;
}

std::string GarbageKey(DataId data) {
  return kGarbageTag + Be64(Raw(data));
}

std::optional<DataId> ParseGarbageKey(std::string_view key) {
  auto n = ReadTagged(kGarbageTag, key);
  return n ? std::optional(DataId{*n}) : std::nullopt;
}

std::string SessionKey(SessionId id) { return Be64(id.high) + Be64(id.low); }

std::string KeptReplyKey(SessionId id, uint32_t slot) {
  return SessionKey(id) + Be32(slot);
}

std::optional<SessionId> ParseSessionKey(std::string_view key) {
  if (key.size() != kSessionBytes) return std::nullopt;
  return SessionId{*ReadBe64(key.substr(0, 8)), *ReadBe64(key.substr(8))};
}

std::string SessionUpperKey(SessionId id) { return PrefixEnd(SessionKey(id)); }

std::string QuotaCounterKey(std::string_view counter, QuotaId quota) {
  return std::string(counter).append("/").append(Be32(Raw(quota)));
}

std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

std::string PrintKey(std::string_view key) {
  std::string hex;
  bool prints = true;
  for (unsigned char c : key) {
    prints = prints && c >= 0x20 && c <= 0x7e;
    hex += fmt::format("{:02x}", c);
  }
  return prints ? std::string(key) : hex;
}

}  // namespace tarn::store
