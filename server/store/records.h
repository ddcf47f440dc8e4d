// The value format: domain structs to bytes and back. The messages are in records.proto.
//
// Errors of every Decode: EIO, with a sentence that names the key, for bytes that no Encode made.
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/posix/meta_txn.h"
#include "common/result.h"
#include "server/store/store.h"

namespace tarn::store {

// Contents that nothing refers to: blocks [0, blocks) of a data id.
struct Garbage {
  uint64_t blocks = 0;
  uint64_t bytes = 0;  // allocated
  bool operator==(const Garbage&) const = default;
};

// Under which boot the store was opened last, and whether it was closed with everything synced.
struct OpenMark {
  std::string boot_id;
  bool clean = false;
  bool operator==(const OpenMark&) const = default;
};

// A file system in a state directory's register.
struct FileSystemEntry {
  std::string name;
  Timestamp created;
  bool available = false;  // false: its creation did not end
  bool operator==(const FileSystemEntry&) const = default;
};

std::string EncodeInode(const Inode& inode);
Result<Inode> DecodeInode(Ino ino, std::string_view bytes);  // `ino` from the key

std::string EncodeDentry(const Dentry& dentry);
Result<Dentry> DecodeDentry(std::string_view key, std::string_view bytes);

std::string EncodeOrphan(Timestamp since);
Result<Timestamp> DecodeOrphan(std::string_view key, std::string_view bytes);

std::string EncodeGarbage(const Garbage& garbage);
Result<Garbage> DecodeGarbage(std::string_view key, std::string_view bytes);

std::string EncodeSession(const SessionRecord& session);
Result<SessionRecord> DecodeSession(SessionId id, std::string_view bytes);  // `id` from the key

std::string EncodeKeptReply(const KeptReply& reply);
Result<KeptReply> DecodeKeptReply(std::string_view key, std::string_view bytes);

std::string EncodeIdentity(const Identity& identity);
Result<Identity> DecodeIdentity(std::string_view bytes);

std::string EncodeOpenMark(const OpenMark& mark);
Result<OpenMark> DecodeOpenMark(std::string_view bytes);

std::string EncodeFileSystem(const FileSystemEntry& entry);
Result<FileSystemEntry> DecodeFileSystem(std::string_view key, std::string_view bytes);

}  // namespace tarn::store
