// The vocabulary of Tarn: strong types for everything that crosses a border.
//
// Values here are plain data: copyable, comparable, no behaviour. Enumerations that are stored or
// sent carry explicit values: never renumber them, never reuse a value.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace tarn {

// Inode number. Never reused within a file system. 0 is no inode, 1 the root directory.
enum class Ino : uint64_t {};
inline constexpr Ino kNoIno{0};
inline constexpr Ino kRootIno{1};

// Names the blocks of one content of a file. Truncation to 0 and unlink take a new one. 0: none.
enum class DataId : uint64_t {};

// Who is charged for an inode. 0: nobody in particular.
enum class QuotaId : uint32_t {};

// One open file description of one session, chosen by the client, never reused in a session.
enum class OpenId : uint64_t {};
// Of a read or write: an open of this call alone. Its caller must have the right to such an open.
inline constexpr OpenId kNoOpen{0};

// Who holds a lock, within one session: what the kernel calls the lock owner.
enum class LockOwner : uint64_t {};

using Uid = uint32_t;
using Gid = uint32_t;

// Plain number of a strong type, for encoding and printing.
template <class E>
constexpr auto Raw(E e) {
  return static_cast<std::underlying_type_t<E>>(e);
}

// Nanoseconds since the epoch, 1677 to 2262. Times outside are clamped where they enter.
struct Timestamp {
  int64_t ns = 0;
  auto operator<=>(const Timestamp&) const = default;
};

// 128 random bits that name a session; all zero: none.
struct SessionId {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const SessionId&) const = default;
  template <class H>
  friend H AbslHashValue(H h, const SessionId& id) {
    return H::combine(std::move(h), id.high, id.low);
  }
};

// An inode as a client may name it. The tag is a MAC over (access point, ino) that only the server
// makes; a handle whose tag does not fit is answered ESTALE.
struct Handle {
  Ino ino = kNoIno;
  uint64_t tag = 0;
  auto operator<=>(const Handle&) const = default;
};

// Stored and sent: never renumber. (The values are those of S_IFMT >> 12 and of DT_*.)
enum class FileType : uint8_t {
  kFifo = 1,
  kCharDevice = 2,
  kDirectory = 4,
  kBlockDevice = 6,
  kRegular = 8,
  kSymlink = 10,
  kSocket = 12,
};

// What stat(2) shows of an inode.
struct Attr {
  Ino ino = kNoIno;
  FileType type = FileType::kRegular;
  uint32_t mode = 0;  // permission bits only, 07777
  uint32_t nlink = 0;
  Uid uid = 0;
  Gid gid = 0;
  uint64_t rdev = 0;       // devices: makedev(3) of glibc; else 0
  uint64_t size = 0;       // bytes; symlinks: length of the target; directories: see SEMANTICS 7.3
  uint64_t allocated = 0;  // bytes, a multiple of 512; st_blocks = allocated / 512
  Timestamp atime, mtime, ctime, btime;
  uint64_t version = 0;  // grows with every change of the inode, its names or its content
  bool no_xattrs = false;  // it has no extended attributes, nor ACLs; else it may have
  bool operator==(const Attr&) const = default;
};

}  // namespace tarn
