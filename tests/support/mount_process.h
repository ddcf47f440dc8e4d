// The Process of MountSubject: each call runs on the process's own thread. (In a header because its
// methods fill two files.)
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "common/sync.h"
#include "tests/support/subject.h"

namespace tarn::testing {

// A thread that is a process to the file system: own ids, descriptors, umask.
class IsolatedThread {
 public:
  explicit IsolatedThread(const User& user);
  ~IsolatedThread();
  // Runs `work` on the thread and waits for it.
  void Run(std::function<void()> work);
  void Signal();

 private:
  void Main(const User& user);

  Mutex mu_;
  CondVar changed_;
  std::function<void()> work_ ABSL_GUARDED_BY(mu_);
  bool busy_ ABSL_GUARDED_BY(mu_) = false;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

class MountProcess : public Process {
 public:
  MountProcess(std::string base, const User& user) : base_(std::move(base)), thread_(user) {}

  void SetUmask(uint32_t umask) override;
  Status MakeDir(const std::string& path, uint32_t mode) override;
  Status MakeNode(const std::string& path, FileType type, uint32_t mode, uint64_t rdev) override;
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
  Result<StatFsReply> StatFs() override;
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
  Status Fsync(Fd fd) override;
  Status Allocate(Fd fd, AllocateMode mode, uint64_t offset, uint64_t length) override;
  Result<uint64_t> Seek(Fd fd, SeekWhence whence, uint64_t offset) override;
  Result<uint64_t> CopyRange(Fd source, uint64_t source_offset, Fd target, uint64_t target_offset,
                             uint64_t length) override;
  Status LinkFd(Fd fd, const std::string& path) override;
  Result<std::vector<DirRecord>> ReadDir(Fd fd, uint64_t cookie) override;
  Status SetLock(Fd fd, LockStyle style, LockType type, uint64_t start, uint64_t end,
                 bool wait) override;
  Result<FileLock> GetLock(Fd fd, LockType type, uint64_t start, uint64_t end) override;
  void Interrupt() override { thread_.Signal(); }

 private:
  // Runs a system call; its negative result is errno's error.
  Result<int64_t> Call(const std::function<int64_t()>& call);
  Status Do(const std::function<int64_t()>& call);
  Result<Attr> StatAt(int fd, const std::string& path, int flags);
  std::string At(const std::string& path) const { return path.empty() ? "" : base_ + path; }

  const std::string base_;
  IsolatedThread thread_;
};

}  // namespace tarn::testing
