// A disk in memory for RocksDB that can lose its power, be full, or fail.
//
// Power: a file keeps what was synced, a directory the entries that were there at its last sync. Of
// what was not, nothing is left, or (with a seed) some: a part of each file's unsynced bytes,
// perhaps with a hole of zeros, and a prefix of each directory's changes.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/sync.h"

namespace tarn::testing {

// Thread safety: safe. Lifetime: RocksDB's objects on it keep what they need alive.
class BadDisk : public rocksdb::FileSystem, public std::enable_shared_from_this<BadDisk> {
 public:
  using IOStatus = rocksdb::IOStatus;
  // What fails: called before each change of the disk with what is done ("append", "sync",
  // "create", "rename", "delete", "sync directory") and the file; OK lets it happen.
  using Fault = std::function<IOStatus(const std::string& what, const std::string& path)>;
  // Called before each change, with no lock held.
  using Watch = std::function<void()>;

  static std::shared_ptr<BadDisk> Make() { return std::make_shared<BadDisk>(); }

  void SetFault(Fault fault);
  void SetWatch(Watch watch);
  // How much fits; what does not is refused with NoSpace.
  void SetCapacity(uint64_t bytes) { capacity_.store(bytes); }
  uint64_t Used() const;
  // A copy as it is now, with what is synced and what is not. Cheap: files that ended are shared.
  std::shared_ptr<BadDisk> Copy() const;
  // What a copy is after a loss of power. seed 0: nothing unsynced is left.
  void LosePower(unsigned seed);
  // Flips a bit of a file. False: it has no such byte.
  bool FlipBit(const std::string& path, uint64_t bit);
  // Paths and sizes of all files.
  std::map<std::string, uint64_t> Files() const;

  const char* Name() const override { return "BadDisk"; }
  IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* out,
                             rocksdb::IODebugContext*) override;
  IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* out,
                               rocksdb::IODebugContext*) override;
  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* out,
                           rocksdb::IODebugContext*) override;
  IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>* out,
                           rocksdb::IODebugContext*) override;
  IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* out,
                        rocksdb::IODebugContext*) override;
  IOStatus FileExists(const std::string& path, const rocksdb::IOOptions&,
                      rocksdb::IODebugContext*) override;
  IOStatus GetChildren(const std::string& dir, const rocksdb::IOOptions&,
                       std::vector<std::string>* out, rocksdb::IODebugContext*) override;
  IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions&,
                      rocksdb::IODebugContext*) override;
  IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions&,
                     rocksdb::IODebugContext*) override;
  IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions&,
                              rocksdb::IODebugContext*) override;
  IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions&,
                     rocksdb::IODebugContext*) override;
  IOStatus GetFileSize(const std::string& path, const rocksdb::IOOptions&, uint64_t* size,
                       rocksdb::IODebugContext*) override;
  IOStatus GetFileModificationTime(const std::string& path, const rocksdb::IOOptions&,
                                   uint64_t* time, rocksdb::IODebugContext*) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions&,
                      rocksdb::IODebugContext*) override;
  IOStatus LockFile(const std::string& path, const rocksdb::IOOptions&, rocksdb::FileLock** lock,
                    rocksdb::IODebugContext*) override;
  IOStatus UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions&,
                      rocksdb::IODebugContext*) override;
  IOStatus GetTestDirectory(const rocksdb::IOOptions&, std::string* path,
                            rocksdb::IODebugContext*) override;
  IOStatus NewLogger(const std::string& path, const rocksdb::IOOptions&,
                     std::shared_ptr<rocksdb::Logger>* out, rocksdb::IODebugContext*) override;
  IOStatus GetAbsolutePath(const std::string& path, const rocksdb::IOOptions&, std::string* out,
                           rocksdb::IODebugContext*) override;
  IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions&, uint64_t* free,
                        rocksdb::IODebugContext*) override;
  IOStatus IsDirectory(const std::string& path, const rocksdb::IOOptions&, bool* is_dir,
                       rocksdb::IODebugContext*) override;

 private:
  friend class BadFile;
  friend class BadRandomFile;
  friend class BadDirectory;
  struct File {
    std::shared_ptr<std::string> data = std::make_shared<std::string>();
    size_t synced = 0;
    bool shared = false;  // with a copy of the disk: copied before it is changed
  };
  using FilePtr = std::shared_ptr<File>;
  struct Change {
    std::string path;
    FilePtr file;  // null: it is gone
  };

  // Before a change: asks the watch and the fault.
  IOStatus Before(const std::string& what, const std::string& path);
  FilePtr Find(const std::string& path) const;
  void SetEntry(const std::string& path, FilePtr file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t UsedLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  IOStatus Overwrite(File& file, uint64_t offset, const rocksdb::Slice& data);
  IOStatus Append(File& file, const std::string& path, const rocksdb::Slice& data);
  IOStatus Sync(File& file, const std::string& path);
  IOStatus SyncDirectory(const std::string& path);

  std::atomic<uint64_t> capacity_{UINT64_MAX};
  mutable Mutex mu_;
  std::map<std::string, FilePtr> entries_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, FilePtr> durable_ ABSL_GUARDED_BY(mu_);
  std::vector<Change> changes_ ABSL_GUARDED_BY(mu_);  // of entries, since their directory's sync
  std::set<std::string> directories_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> locks_ ABSL_GUARDED_BY(mu_);
  Fault fault_ ABSL_GUARDED_BY(mu_);
  Watch watch_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::testing
