// The key schema: every key that a store holds is made here and nowhere else.
//
//   family   key                            value
//   inode    be64(ino)                      InodeRecord
//   dentry   be64(dir) be64(hash) name      be64(ino) byte(type)
//   xattr    be64(ino) name                 the value
//   block    be64(data id) be32(index)      the block's bytes; shorter than a block: zeros follow
//   orphan   'i' be64(ino)                  OrphanRecord: an inode without a name
//   orphan   'd' be64(data id)              GarbageRecord: contents that await reclaim
//   session  id (16 bytes)                  SessionRecord
//   session  id (16 bytes) be32(slot)       KeptReplyRecord
//   super    "format"                       be32(format version)
//   super    "upgrading"                    byte(family) key: how far an upgrade came (migrate.h)
//   super    "identity"                     IdentityRecord
//   super    "open"                         OpenRecord: who had the store open, ended cleanly?
//   super    "next_data", "next_ino"        be64: no number from here on was ever given out
//   super    "bytes", "inodes"              le64 counters: usage of the file system
//   super    "bytes/" be32(quota id)        the same for one quota id that is not 0
//   super    "inodes/" be32(quota id)
//
// The control store of a state directory (registry.h) uses `super` alone:
//   super    "format"                       be32(format version)
//   super    "fs/" id                       FileSystemRecord
//
// `hash` is NameHash of the name under the file system's key, and the entry's readdir cookie.
// Each value but those of `super` is followed by its checksum (sealed_kv.h).
// Records are messages of records.proto; numbers are big-endian, so that keys sort by them.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/types.h"

namespace tarn::store {

inline constexpr std::string_view kFormatKey = "format";
inline constexpr std::string_view kUpgradingKey = "upgrading";
inline constexpr std::string_view kIdentityKey = "identity";
inline constexpr std::string_view kOpenKey = "open";
inline constexpr std::string_view kNextDataKey = "next_data";
inline constexpr std::string_view kNextInoKey = "next_ino";
inline constexpr std::string_view kBytesKey = "bytes";
inline constexpr std::string_view kInodesKey = "inodes";
inline constexpr std::string_view kFileSystemPrefix = "fs/";

std::string Be32(uint32_t n);
std::string Be64(uint64_t n);
// nullopt: `bytes` has another length.
std::optional<uint32_t> ReadBe32(std::string_view bytes);
std::optional<uint64_t> ReadBe64(std::string_view bytes);
// A counter's value, as Batch::Add keeps it.
std::optional<int64_t> ReadLe64(std::string_view bytes);

std::string InodeKey(Ino ino);

std::string DentryKey(Ino dir, uint64_t hash, std::string_view name);
// Before every name of that hash or above. DentryLowerKey(dir, 0) is before all of the directory.
std::string DentryLowerKey(Ino dir, uint64_t hash);
struct DentryKeyParts {
  uint64_t hash = 0;
  std::string_view name;  // in the key
};
std::optional<DentryKeyParts> ParseDentryKey(std::string_view key);

std::string XattrKey(Ino ino, std::string_view name);
// The name within an xattr's key. REQUIRES: `key` came out of XattrKey's range.
std::string_view XattrName(std::string_view key);

std::string BlockKey(DataId data, uint32_t index);
std::optional<uint32_t> BlockIndexOf(std::string_view key);
// After every block of `data`.
std::string BlockUpperKey(DataId data);

std::string OrphanKey(Ino ino);
std::optional<Ino> ParseOrphanKey(std::string_view key);
std::string GarbageKey(DataId data);
std::optional<DataId> ParseGarbageKey(std::string_view key);

std::string SessionKey(SessionId id);
std::string KeptReplyKey(SessionId id, uint32_t slot);
std::optional<SessionId> ParseSessionKey(std::string_view key);  // nullopt: of a kept reply
// After everything of the session; empty: to the end.
std::string SessionUpperKey(SessionId id);

// The counter of one quota id; kBytesKey or kInodesKey followed by it.
std::string QuotaCounterKey(std::string_view counter, QuotaId quota);

// The smallest string above every string that starts with `prefix`; empty: there is none.
std::string PrefixEnd(std::string prefix);

// A key for people: hexadecimal where it does not print.
std::string PrintKey(std::string_view key);

}  // namespace tarn::store
