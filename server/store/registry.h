// The state directory of tarnd (--state DIR): which file systems there are, and where.
//
//   DIR/control   a small database: the register of file systems (keys.h, "control store")
//   DIR/fs/<id>   one database for each file system: the unit of backup, deletion and move
//
// Thread safety: safe. Lifetime: may end before the stores that it opened; as long as it lives, no
// other process opens the directory.
// Invariants: a file system is `available` in the register only if its database is complete; one
// whose creation a crash cut short is completed at the next start.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "server/store/fsck.h"
#include "server/store/rocks_kv.h"
#include "server/store/store.h"

namespace tarn::store {

inline constexpr char kDefaultFileSystem[] = "default";

struct FileSystemInfo {
  std::string id;    // "fs-" and 17 hexadecimal digits
  std::string name;  // unique; of letters, digits, '.', '_', '-'
  Timestamp created;
};

class Registry {
 public:
  virtual ~Registry() = default;

  // Errors: EEXIST (the name is taken), EINVAL (it is none), ENOSPC, EIO.
  virtual Result<FileSystemInfo> Create(const std::string& name) = 0;
  // By id or by name. Errors: ENOENT.
  virtual Result<FileSystemInfo> Find(const std::string& id_or_name) = 0;
  // By name.
  virtual std::vector<FileSystemInfo> List() = 0;
  // Opens the store of a file system; one at a time for each. Errors: ENOENT, EBUSY (it is open),
  // EINVAL (another format version), EACCES, EIO.
  virtual Result<std::unique_ptr<Store>> OpenStore(const std::string& id_or_name) = 0;
};

// Opens a state directory; makes it, with a file system named `default`, where there is none yet.
// Errors, with a sentence that says what to do: ENOTDIR, EACCES, EBUSY (in use by another tarnd),
// EINVAL (another format version, or a directory with other things in it), ENOSPC, EIO.
Result<std::unique_ptr<Registry>> OpenRegistry(const std::string& dir,
                                               const RocksKvOptions& options, Clock& clock);

// What fsck says of one file system; an error where it could not be checked at all.
struct CheckedFileSystem {
  FileSystemInfo info;
  Result<FsckReport> report;
};

// Checks a state directory that no tarnd uses, without changing anything: all its file systems, or
// the one named. Errors: ENOENT (no state directory, or no such file system), EBUSY (a tarnd uses
// it), EINVAL (another format version), EACCES, EIO.
Result<std::vector<CheckedFileSystem>> CheckStateDirectory(const std::string& dir,
                                                           const std::string& only,
                                                           const RocksKvOptions& options,
                                                           const FsckOptions& fsck);

}  // namespace tarn::store
