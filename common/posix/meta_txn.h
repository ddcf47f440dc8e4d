// The metadata that the POSIX rules see: an abstract transaction over inode, dentry and xattr
// records. The server runs the rules on RocksDB, tests on a map, the client (later) on its cache.
//
// A read yields a value, absent (nullopt), or the error kBlocked: a record that this transaction
// may not see yet. A rule passes kBlocked up unchanged, like any error; its driver then drops the
// transaction, gets hold of what was missing and runs the rule again from the start. So a rule is
// a plain function: no effect outside the transaction, no state of its own.
//
// Reads see the transaction's own writes. Writes never fail; they take effect together at commit.
// Thread safety: one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/limits.h"
#include "common/result.h"
#include "common/types.h"

namespace tarn {

// Everything that is stored of an inode.
struct Inode {
  Attr attr;
  DataId data{};             // regular files: names the blocks; 0 while there are none
  QuotaId quota{};           // inherited from the directory at creation
  std::string target;        // symlinks
  Ino parent = kNoIno;       // directories: the one parent (the root: itself)
  std::string name;          // directories: the name in it
  uint32_t access_day = 0;   // days since the epoch of the last access to the data
  bool linkable = true;      // false: O_TMPFILE|O_EXCL, may never get a name
  bool operator==(const Inode&) const = default;
};

struct Dentry {
  Ino ino = kNoIno;
  FileType type = FileType::kRegular;
  bool operator==(const Dentry&) const = default;
};

struct NamedDentry {
  std::string name;
  Dentry dentry;
  uint64_t cookie = 0;  // NameHash of the name
};

class MetaTxn {
 public:
  virtual ~MetaTxn() = default;

  // ---- reads; errors: kBlocked, EIO (corrupt or unreadable) ----
  virtual Result<std::optional<Inode>> GetInode(Ino ino) = 0;
  virtual Result<std::optional<Dentry>> GetDentry(Ino dir, std::string_view name) = 0;
  // Entries with a cookie above `after`, ascending by cookie, about `max_bytes` of names (24 bytes
  // added for each), at least one if there is one, never ending between equal cookies.
  virtual Result<std::vector<NamedDentry>> ListDentries(Ino dir, uint64_t after,
                                                        size_t max_bytes) = 0;
  virtual Result<bool> HasDentries(Ino dir) = 0;
  virtual Result<std::optional<std::string>> GetXattr(Ino ino, std::string_view name) = 0;
  // Names in ascending order.
  virtual Result<std::vector<std::string>> ListXattrs(Ino ino) = 0;

  // ---- writes ----
  virtual void PutInode(const Inode& inode) = 0;
  virtual void PutDentry(Ino dir, std::string_view name, const Dentry& dentry) = 0;
  virtual void DeleteDentry(Ino dir, std::string_view name) = 0;
  virtual void PutXattr(Ino ino, std::string_view name, std::string_view value) = 0;
  virtual void DeleteXattr(Ino ino, std::string_view name) = 0;
  // The inode (already put with nlink 0) has no name any more: it lives while something pins it,
  // then its records, xattrs and contents are reclaimed.
  virtual void PutOrphan(Ino ino) = 0;
  // An orphan has a name again (a link to an O_TMPFILE inode).
  virtual void DeleteOrphan(Ino ino) = 0;

  // ---- effects on contents; they change `inode` (size, allocated, data) for the rule to put ----
  // Sets the size: cuts, or extends with a hole. Errors: kBlocked, EIO.
  virtual Status SetSize(Inode& inode, uint64_t size) = 0;
  // Makes [offset, offset + length) a hole that reads as zeros; the size stays. Errors: as above.
  virtual Status DropRange(Inode& inode, uint64_t offset, uint64_t length) = 0;

  // ---- environment ----
  virtual Result<Ino> NewIno() = 0;
  // The time of this transaction: the same at every call.
  virtual Timestamp Now() = 0;
  // Of the file system.
  virtual const Limits& limits() const { return kOwnLimits; }
};

}  // namespace tarn
