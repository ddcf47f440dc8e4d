// ReferenceFs: a file system as simple as it can be said, in memory: what the random test holds
// Tarn against. It shares no line with the rules; where POSIX leaves a choice (which of two errors
// comes first) it does what Linux does. No times, no locks, no limits, no holes.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "tests/support/subject.h"

namespace tarn::testing {

// An inode of the reference.
struct RefNode {
  FileType type = FileType::kRegular;
  uint32_t mode = 0;
  uint32_t nlink = 0;
  Uid uid = 0;
  Gid gid = 0;
  uint64_t number = 0;
  std::string data;                                       // regular files
  std::string target;                                     // symlinks
  std::map<std::string, std::shared_ptr<RefNode>> names;  // directories
  std::weak_ptr<RefNode> parent;                          // directories
  std::map<std::string, std::string> xattrs;
  bool is_dir() const { return type == FileType::kDirectory; }
};
using RefPtr = std::shared_ptr<RefNode>;

class ReferenceFs : public Subject {
 public:
  ReferenceFs();
  std::unique_ptr<Process> Start(const User& user) override;

 private:
  friend class ReferenceProcess;
  RefPtr NewNode(FileType type);

  uint64_t next_number_ = 1;
  RefPtr root_;
};

// Where a path's last component is.
struct RefPlace {
  RefPtr dir;
  std::string name;
  RefPtr node;  // null: nothing there
};

class ReferenceProcess : public Process {
 public:
  ReferenceProcess(ReferenceFs& fs, User user) : fs_(fs), user_(std::move(user)) {}

  void SetUmask(uint32_t umask) override { umask_ = umask; }
  Status MakeDir(const std::string& path, uint32_t mode) override;
  Status MakeNode(const std::string& path, FileType type, uint32_t mode, uint64_t) override;
  Status SymLink(const std::string& target, const std::string& path) override;
  Status Link(const std::string& from, const std::string& to) override;
  Status Unlink(const std::string& path) override;
  Status RemoveDir(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to, RenameMode mode) override;
  Result<Attr> Stat(const std::string& path) override;
  Result<Attr> LStat(const std::string& path) override;
  Result<std::string> ReadLink(const std::string& path) override;
  Status Chmod(const std::string& path, uint32_t mode) override;
  Status LChown(const std::string& path, std::optional<Uid> uid, std::optional<Gid> gid) override;
  Status SetTimes(const std::string& path, TimeChange atime, TimeChange mtime) override;
  Status Truncate(const std::string& path, int64_t size) override;
  Status Access(const std::string& path, uint32_t mask) override;
  Result<StatFsReply> StatFs() override { return Errno::kENOSYS; }
  Result<std::string> GetXattr(const std::string& path, const std::string& name) override;
  Status SetXattr(const std::string& path, const std::string& name, const std::string& value,
                  XattrMode mode) override;
  Result<std::vector<std::string>> ListXattr(const std::string& path) override;
  Status RemoveXattr(const std::string& path, const std::string& name) override;

  Result<Fd> Open(const std::string& path, int flags, uint32_t mode) override;
  Status Close(Fd fd) override;
  Result<std::string> Read(Fd fd, size_t size, uint64_t offset) override;
  Result<size_t> Write(Fd fd, std::string_view data, uint64_t offset) override;
  Result<size_t> Append(Fd fd, std::string_view data) override;
  Result<Attr> FStat(Fd fd) override;
  Status FTruncate(Fd fd, int64_t size) override;
  Status Fsync(Fd) override { return Ok(); }
  Status Allocate(Fd fd, AllocateMode mode, uint64_t offset, uint64_t length) override;
  Result<uint64_t> Seek(Fd, SeekWhence, uint64_t) override { return Errno::kENOSYS; }
  Result<uint64_t> CopyRange(Fd source, uint64_t source_offset, Fd target, uint64_t target_offset,
                             uint64_t length) override;
  Status LinkFd(Fd, const std::string&) override { return Errno::kENOSYS; }
  Result<std::vector<DirRecord>> ReadDir(Fd fd, uint64_t cookie) override;
  Status SetLock(Fd, LockStyle, LockType, uint64_t, uint64_t, bool) override {
    return Errno::kENOSYS;
  }
  Result<FileLock> GetLock(Fd, LockType, uint64_t, uint64_t) override { return Errno::kENOSYS; }
  void Interrupt() override {}

 private:
  struct OpenFile {
    RefPtr node;
    bool reads = false, writes = false;
  };

  bool IsRoot() const { return user_.uid == 0; }
  bool InGroup(Gid gid) const;
  bool Owns(const RefNode& node) const { return IsRoot() || node.uid == user_.uid; }
  bool May(const RefNode& node, uint32_t mask) const;
  Status MayDelete(const RefNode& dir, const RefNode& victim, bool as_dir) const;
  Status MayTouchXattr(const RefNode& node, bool write) const;
  Result<RefPlace> Locate(const std::string& path, bool follow) const;
  Result<RefPtr> Find(const std::string& path, bool follow) const;
  Result<RefPtr> Make(const RefPlace& at, FileType type, uint32_t mode);
  Status MayRename(const RefPlace& from, const RefPlace& to, RenameMode mode) const;
  void DropPrivileges(RefNode& node) const;
  Result<OpenFile> FileOf(Fd fd, bool write) const;

  ReferenceFs& fs_;
  const User user_;
  uint32_t umask_ = 0;
  std::map<int, OpenFile> files_;
  int next_fd_ = 3;
};

}  // namespace tarn::testing
