// A file system as programs see it: paths, descriptors, users. The conformance suite and the random
// test are written against Subject and run over every stage: LocalFs on a map, on RocksDB, behind
// gRPC (fs_subject.h), and a real mount with real system calls (mount_subject.h).
//
// Paths are absolute within the subject ("/" is its root) and without "." components at the end
// unless that is what is tested. Errors are those of the system call of the same name.
#pragma once

#include <fcntl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/filesystem.h"

namespace tarn::testing {

// Who runs a Process: like any process it keeps its identity from its start.
struct User {
  Uid uid = 0;
  Gid gid = 0;
  std::vector<Gid> groups;  // supplementary
};
inline const User kRoot{0, 0, {}};
inline const User kAlice{4001, 4001, {4100}};  // 4100: the group that Alice and Bob share
inline const User kBob{4002, 4002, {4100}};
inline const User kCarol{4003, 4003, {}};
inline constexpr Gid kSharedGroup = 4100;

struct DirRecord {
  std::string name;
  Ino ino = kNoIno;
  FileType type = FileType::kRegular;
  uint64_t cookie = 0;  // where a listing goes on after this entry
};

// A time for SetTimes: left alone, the server's now, or a value.
struct TimeChange {
  enum class Kind { kOmit, kNow, kSet } kind = Kind::kOmit;
  Timestamp value;
  static TimeChange Omit() { return {}; }
  static TimeChange Now() { return {Kind::kNow, {}}; }
  static TimeChange At(int64_t ns) { return {Kind::kSet, {ns}}; }
};

enum class LockStyle { kPosix, kOfd, kFlock };

enum class Fd : int {};

// One process of one user: system calls by name. The methods that take a path follow symlinks in
// the last component only where the system call of that name does.
// Thread safety: one call at a time, but Interrupt, which is for another thread.
// Lifetime: not beyond its Subject. The destructor closes all descriptors.
class Process {
 public:
  virtual ~Process() = default;
  virtual void SetUmask(uint32_t umask) = 0;  // 0 at the start

  // ---- names ----
  virtual Status MakeDir(const std::string& path, uint32_t mode) = 0;
  virtual Status MakeNode(const std::string& path, FileType type, uint32_t mode, uint64_t rdev) = 0;
  virtual Status SymLink(const std::string& target, const std::string& path) = 0;
  virtual Status Link(const std::string& from, const std::string& to) = 0;
  virtual Status Unlink(const std::string& path) = 0;
  virtual Status RemoveDir(const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to,
                        RenameMode mode = RenameMode::kReplace) = 0;

  // ---- attributes ----
  virtual Result<Attr> Stat(const std::string& path) = 0;
  virtual Result<Attr> LStat(const std::string& path) = 0;
  virtual Result<std::string> ReadLink(const std::string& path) = 0;
  virtual Status Chmod(const std::string& path, uint32_t mode) = 0;
  virtual Status LChown(const std::string& path, std::optional<Uid> uid,
                        std::optional<Gid> gid) = 0;
  virtual Status SetTimes(const std::string& path, TimeChange atime, TimeChange mtime) = 0;
  virtual Status Truncate(const std::string& path, int64_t size) = 0;
  virtual Status Access(const std::string& path, uint32_t mask) = 0;
  virtual Result<StatFsReply> StatFs() = 0;

  // ---- extended attributes of what a path leads to, the last symlink not followed ----
  virtual Result<std::string> GetXattr(const std::string& path, const std::string& name) = 0;
  virtual Status SetXattr(const std::string& path, const std::string& name,
                          const std::string& value, XattrMode mode = XattrMode::kSet) = 0;
  virtual Result<std::vector<std::string>> ListXattr(const std::string& path) = 0;
  virtual Status RemoveXattr(const std::string& path, const std::string& name) = 0;

  // ---- descriptors; `flags` as of open(2) ----
  virtual Result<Fd> Open(const std::string& path, int flags, uint32_t mode = 0) = 0;
  virtual Status Close(Fd fd) = 0;
  virtual Result<std::string> Read(Fd fd, size_t size, uint64_t offset) = 0;
  virtual Result<size_t> Write(Fd fd, std::string_view data, uint64_t offset) = 0;  // pwrite
  virtual Result<size_t> Append(Fd fd, std::string_view data) = 0;  // write(2) on an O_APPEND one
  virtual Result<Attr> FStat(Fd fd) = 0;
  virtual Status FTruncate(Fd fd, int64_t size) = 0;
  virtual Status Fsync(Fd fd) = 0;
  virtual Status Allocate(Fd fd, AllocateMode mode, uint64_t offset, uint64_t length) = 0;
  virtual Result<uint64_t> Seek(Fd fd, SeekWhence whence, uint64_t offset) = 0;
  virtual Result<uint64_t> CopyRange(Fd source, uint64_t source_offset, Fd target,
                                     uint64_t target_offset, uint64_t length) = 0;
  // Gives a name to what is open: linkat(2) of an O_TMPFILE descriptor.
  virtual Status LinkFd(Fd fd, const std::string& path) = 0;
  // Some entries after `cookie` (0: from the start) of an open directory; none: the end.
  virtual Result<std::vector<DirRecord>> ReadDir(Fd fd, uint64_t cookie) = 0;

  // ---- locks; `end` is the last byte, kLockToEnd: to the end. kFlock ignores the range ----
  virtual Status SetLock(Fd fd, LockStyle style, LockType type, uint64_t start, uint64_t end,
                         bool wait) = 0;
  // F_GETLK: type kUnlock when the lock could be placed.
  virtual Result<FileLock> GetLock(Fd fd, LockType type, uint64_t start, uint64_t end) = 0;
  // A signal: ends a SetLock that waits with EINTR. Nothing happens if none does yet.
  virtual void Interrupt() = 0;
};

class Subject {
 public:
  virtual ~Subject() = default;
  virtual std::unique_ptr<Process> Start(const User& user) = 0;
  // False: what the kernel's own caches and limits of FUSE decide is out of the test's reach.
  virtual bool is_mount() const { return false; }
  // Stops and starts what is below, keeping what is stored; false: this subject cannot.
  // REQUIRES: no Process lives.
  virtual bool Restart() { return false; }
};

// ---- helpers over any Process ----

// Creates (or truncates) a file with this content.
Status PutFile(Process& process, const std::string& path, std::string_view content,
               uint32_t mode = 0644);
// All of a file.
Result<std::string> GetFile(Process& process, const std::string& path);
// Entries of a directory in order of listing, without "." and "..".
Result<std::vector<DirRecord>> ListDir(Process& process, const std::string& path);
// Their names, sorted.
Result<std::vector<std::string>> NamesIn(Process& process, const std::string& path);
// Everything below a directory is removed; the directory stays.
Status RemoveTree(Process& process, const std::string& path);

}  // namespace tarn::testing
