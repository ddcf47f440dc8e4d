// What a store reads back: records and keys, as a damaged disk may hand them out.
#include "server/store/records.h"

#include "server/store/keys.h"
#include "tests/fuzz/fuzz.h"

namespace tarn::fuzz {
namespace {

using namespace store;

// What can be read is written in a way that reads as the same.
template <class Decode, class Encode>
void Try(std::string_view bytes, Decode decode, Encode encode) {
  const auto record = decode(bytes);
  if (!record.ok()) return;
  const std::string encoded = encode(*record);
  const auto again = decode(encoded);
  Require(again.ok(), "what was read can be written and read");
  Require(encode(*again) == encoded, "and stays as it is");
}

void TryKeys(std::string_view key) {
  if (const auto parts = ParseDentryKey(key); parts.has_value()) {
    const auto dir = ReadBe64(key.substr(0, 8));
    Require(dir.has_value() && DentryKey(Ino{*dir}, parts->hash, parts->name) == key,
            "a key of an entry is made of its parts");
  }
  if (const auto ino = ParseOrphanKey(key)) Require(OrphanKey(*ino) == key, "of an orphan");
  if (const auto data = ParseGarbageKey(key)) Require(GarbageKey(*data) == key, "of garbage");
  if (const auto id = ParseSessionKey(key)) Require(SessionKey(*id) == key, "of a session");
  (void)BlockIndexOf(key);
  (void)ReadLe64(key);
  const std::string end = PrefixEnd(std::string(key));
  Require(end.empty() || end > key, "what ends a prefix is above it");
  (void)PrintKey(key);
}

void TryRecord(uint8_t kind, std::string_view bytes) {
  switch (kind % 10) {
    case 0:
      return Try(bytes, [](auto b) { return DecodeInode(Ino{1}, b); }, &EncodeInode);
    case 1:
      return Try(bytes, [](auto b) { return DecodeDentry("k", b); }, &EncodeDentry);
    case 2:
      return Try(bytes, [](auto b) { return DecodeOrphan("k", b); }, &EncodeOrphan);
    case 3:
      return Try(bytes, [](auto b) { return DecodeGarbage("k", b); }, &EncodeGarbage);
    case 4:
      return Try(bytes, [](auto b) { return DecodeSession({1, 2}, b); }, &EncodeSession);
    case 5:
      return Try(bytes, [](auto b) { return DecodeKeptReply("k", b); }, &EncodeKeptReply);
    case 6:
      return Try(bytes, [](auto b) { return DecodeIdentity(b); }, &EncodeIdentity);
    case 7:
      return Try(bytes, [](auto b) { return DecodeOpenMark(b); }, &EncodeOpenMark);
    case 8:
      return Try(bytes, [](auto b) { return DecodeFileSystem("k", b); }, &EncodeFileSystem);
    default:
      return TryKeys(bytes);
  }
}

}  // namespace
}  // namespace tarn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tarn::fuzz::Input input(data, size);
  const uint8_t kind = input.Byte();
  tarn::fuzz::TryRecord(kind, input.Rest());
  return 0;
}
