// FileSystemSubject: programs over any FileSystem without a kernel in between. It does what the
// kernel's VFS does on a mount (walk paths, keep descriptors, name lock owners) and nothing that
// belongs to the file system.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "common/sync.h"
#include "common/verbs.h"
#include "common/wait.h"
#include "tests/support/path_walk.h"
#include "tests/support/subject.h"

namespace tarn::testing {

class FileSystemSubject : public Subject {
 public:
  // What is below; `owner` keeps it alive.
  struct Target {
    FileSystem* fs = nullptr;
    Handle root;
    SessionId session;  // of every call; ignored where a front sets it
    std::shared_ptr<void> owner;
    // More than one client of one file system: processes take turns. `fs` is the first of them.
    std::vector<FileSystem*> all;
  };
  using Opener = std::function<Target()>;  // starts what is below, again at each Restart

  explicit FileSystemSubject(Opener opener, bool restartable = false)
      : opener_(std::move(opener)), restartable_(restartable), target_(opener_()) {}

  std::unique_ptr<Process> Start(const User& user) override;
  bool Restart() override;
  FileSystem& fs() { return *target_.fs; }
  Handle root() const { return target_.root; }

 private:
  const Opener opener_;
  const bool restartable_;
  Target target_;
  std::atomic<uint32_t> next_pid_{100};
  std::shared_ptr<std::atomic<uint64_t>> next_open_ = std::make_shared<std::atomic<uint64_t>>(1);
};

// A process of FileSystemSubject. (In a header because its methods fill two files.)
class FsProcess : public Process {
 public:
  FsProcess(FileSystem& fs, Handle root, Caller caller,
            std::shared_ptr<std::atomic<uint64_t>> next_open)
      : fs_(fs), root_(root), caller_(std::move(caller)), next_open_(std::move(next_open)) {}
  ~FsProcess() override;

  void SetUmask(uint32_t umask) override { umask_ = umask; }
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
  void Interrupt() override;

 private:
  struct OpenFile {
    Handle inode;
    OpenId open{};
    OpenAccess access = OpenAccess::kRead;
    bool is_dir = false;
  };

  template <class V>
  Result<typename V::Reply> Call(typename V::Args args) {
    return Wait<V>(fs_, caller_, std::move(args));
  }
  template <class V, class Args>
  Status CallForStatus(Args args) {
    auto reply = Call<V>(std::move(args));
    if (!reply.ok()) return reply.error();
    return Ok();
  }
  Result<Location> Where(const std::string& path, LastLink last = LastLink::kKeep) {
    return Locate(fs_, caller_, root_, path, last);
  }
  Result<EntryReply> Find(const std::string& path, LastLink last) {
    return Walk(fs_, caller_, root_, path, last);
  }
  bool IsRoot() const { return caller_.uid == 0; }
  OpenId NewOpen() { return OpenId{(*next_open_)++}; }
  Fd Keep(OpenFile file);
  Result<OpenFile> FileOf(Fd fd) const;
  Result<Fd> OpenExisting(const EntryReply& entry, int flags, OpenAccess access);
  Result<size_t> WriteAll(Fd fd, std::string_view data, uint64_t offset, bool append);

  FileSystem& fs_;
  const Handle root_;
  Caller caller_;
  const std::shared_ptr<std::atomic<uint64_t>> next_open_;
  uint32_t umask_ = 0;
  std::map<int, OpenFile> files_;
  int next_fd_ = 3;
  int listings_ = 0;
  Mutex mu_;
  std::shared_ptr<Cancellation> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::testing
