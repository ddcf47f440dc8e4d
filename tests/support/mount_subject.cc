// MountProcess: the isolated thread, names and attributes.
#include "tests/support/mount_subject.h"

#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_split.h"
#include "common/limits.h"
#include "tests/support/mount_process.h"

namespace tarn::testing {
namespace {

void Check(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

int64_t Nanos(const statx_timestamp& t) {
  return t.tv_sec * kSecondNanos + t.tv_nsec;
}

Attr AttrOf(const struct statx& s) {
  Attr attr;
  attr.ino = Ino{s.stx_ino};
  attr.type = static_cast<FileType>((s.stx_mode & S_IFMT) >> 12);
  attr.mode = s.stx_mode & 07777;
  attr.nlink = s.stx_nlink;
  attr.uid = s.stx_uid;
  attr.gid = s.stx_gid;
  attr.rdev = makedev(s.stx_rdev_major, s.stx_rdev_minor);
  attr.size = s.stx_size;
  attr.allocated = s.stx_blocks * 512;
  attr.atime = {Nanos(s.stx_atime)};
  attr.mtime = {Nanos(s.stx_mtime)};
  attr.ctime = {Nanos(s.stx_ctime)};
  attr.btime = {Nanos(s.stx_btime)};
  return attr;
}

timespec SpecOf(const TimeChange& change) {
  switch (change.kind) {
    case TimeChange::Kind::kOmit:
      return {0, UTIME_OMIT};
    case TimeChange::Kind::kNow:
      return {0, UTIME_NOW};
    case TimeChange::Kind::kSet:
      break;
  }
  int64_t seconds = change.value.ns / kSecondNanos;
  int64_t nanos = change.value.ns % kSecondNanos;
  if (nanos < 0) {
    nanos += kSecondNanos;
    --seconds;
  }
  return {seconds, nanos};
}

}  // namespace

IsolatedThread::IsolatedThread(const User& user) {
  thread_ = std::thread([this, user] { Main(user); });
  Run([] {});
}

IsolatedThread::~IsolatedThread() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void IsolatedThread::Main(const User& user) {
  Check(unshare(CLONE_FILES | CLONE_FS) == 0, "unshare");
  ::umask(0);
  Check(syscall(SYS_setgroups, user.groups.size(), user.groups.data()) == 0, "setgroups");
  Check(syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0, "setresgid");
  Check(syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0, "setresuid");
  while (true) {
    std::function<void()> work;
    {
      MutexLock lock(&mu_);
      while (!stop_ && !work_) changed_.Wait(&mu_);
      if (stop_) return;
      work = std::exchange(work_, nullptr);
    }
    work();
    MutexLock lock(&mu_);
    busy_ = false;
    changed_.SignalAll();
  }
}

void IsolatedThread::Run(std::function<void()> work) {
  MutexLock lock(&mu_);
  busy_ = true;
  work_ = std::move(work);
  changed_.SignalAll();
  while (busy_) changed_.Wait(&mu_);
}

void IsolatedThread::Signal() {
  pthread_kill(thread_.native_handle(), SIGUSR1);
}

MountSubject::MountSubject(std::string base, std::shared_ptr<void> owner)
    : base_(std::move(base)), owner_(std::move(owner)) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};  // without SA_RESTART: a system call that waits gives EINTR
  Check(sigaction(SIGUSR1, &action, nullptr) == 0, "sigaction");
}

std::unique_ptr<Process> MountSubject::Start(const User& user) {
  return std::make_unique<MountProcess>(base_, user);
}

Result<int64_t> MountProcess::Call(const std::function<int64_t()>& call) {
  int64_t result = 0;
  int error = 0;
  thread_.Run([&] {
    result = call();
    error = errno;
  });
  if (result < 0) return FromSystem(error);
  return result;
}

Status MountProcess::Do(const std::function<int64_t()>& call) {
  RETURN_IF_ERROR(Call(call));
  return Ok();
}

void MountProcess::SetUmask(uint32_t umask) {
  thread_.Run([umask] { ::umask(umask); });
}

Status MountProcess::MakeDir(const std::string& path, uint32_t mode) {
  return Do([&] { return mkdir(At(path).c_str(), mode); });
}

Status MountProcess::MakeNode(const std::string& path, FileType type, uint32_t mode,
                              uint64_t rdev) {
  return Do([&] { return mknod(At(path).c_str(), (Raw(type) << 12) | mode, rdev); });
}

Status MountProcess::SymLink(const std::string& target, const std::string& path) {
  return Do([&] { return symlink(target.c_str(), At(path).c_str()); });
}

Status MountProcess::Link(const std::string& from, const std::string& to) {
  return Do([&] { return link(At(from).c_str(), At(to).c_str()); });
}

Status MountProcess::Unlink(const std::string& path) {
  return Do([&] { return unlink(At(path).c_str()); });
}

Status MountProcess::RemoveDir(const std::string& path) {
  return Do([&] { return rmdir(At(path).c_str()); });
}

Status MountProcess::Rename(const std::string& from, const std::string& to, RenameMode mode) {
  const unsigned flags = mode == RenameMode::kNoReplace  ? RENAME_NOREPLACE
                         : mode == RenameMode::kExchange ? RENAME_EXCHANGE
                                                         : 0;
  return Do([&] { return renameat2(AT_FDCWD, At(from).c_str(), AT_FDCWD, At(to).c_str(), flags); });
}

Result<Attr> MountProcess::StatAt(int fd, const std::string& path, int flags) {
  struct statx s = {};
  RETURN_IF_ERROR(
      Call([&] { return statx(fd, path.c_str(), flags, STATX_BASIC_STATS | STATX_BTIME, &s); }));
  return AttrOf(s);
}

Result<Attr> MountProcess::Stat(const std::string& path) {
  return StatAt(AT_FDCWD, At(path), 0);
}

Result<Attr> MountProcess::LStat(const std::string& path) {
  return StatAt(AT_FDCWD, At(path), AT_SYMLINK_NOFOLLOW);
}

Result<Attr> MountProcess::FStat(Fd fd) {
  return StatAt(static_cast<int>(fd), "", AT_EMPTY_PATH);
}

Result<std::string> MountProcess::ReadLink(const std::string& path) {
  std::string target(kSymlinkMaxBytes + 1, '\0');
  ASSIGN_OR_RETURN(const int64_t size,
                   Call([&] { return readlink(At(path).c_str(), target.data(), target.size()); }));
  target.resize(static_cast<size_t>(size));
  return target;
}

Status MountProcess::Chmod(const std::string& path, uint32_t mode) {
  return Do([&] { return chmod(At(path).c_str(), mode); });
}

Status MountProcess::LChown(const std::string& path, std::optional<Uid> uid,
                            std::optional<Gid> gid) {
  const Uid to_uid = uid.value_or(static_cast<Uid>(-1));
  const Gid to_gid = gid.value_or(static_cast<Gid>(-1));
  return Do([&] { return lchown(At(path).c_str(), to_uid, to_gid); });
}

Status MountProcess::SetTimes(const std::string& path, TimeChange atime, TimeChange mtime) {
  const timespec times[2] = {SpecOf(atime), SpecOf(mtime)};
  return Do([&] { return utimensat(AT_FDCWD, At(path).c_str(), times, 0); });
}

Status MountProcess::Truncate(const std::string& path, int64_t size) {
  return Do([&] { return truncate(At(path).c_str(), size); });
}

Status MountProcess::Access(const std::string& path, uint32_t mask) {
  return Do([&] { return access(At(path).c_str(), static_cast<int>(mask)); });
}

Result<StatFsReply> MountProcess::StatFs() {
  struct statvfs s = {};
  RETURN_IF_ERROR(Call([&] { return statvfs(base_.c_str(), &s); }));
  return StatFsReply{s.f_blocks * s.f_frsize, (s.f_blocks - s.f_bfree) * s.f_frsize, s.f_files,
                     s.f_files - s.f_ffree};
}

Result<std::string> MountProcess::GetXattr(const std::string& path, const std::string& name) {
  std::string value(kXattrValueMaxBytes, '\0');
  ASSIGN_OR_RETURN(const int64_t size, Call([&] {
                     return lgetxattr(At(path).c_str(), name.c_str(), value.data(), value.size());
                   }));
  value.resize(static_cast<size_t>(size));
  return value;
}

Status MountProcess::SetXattr(const std::string& path, const std::string& name,
                              const std::string& value, XattrMode mode) {
  const int flags = mode == XattrMode::kCreate    ? XATTR_CREATE
                    : mode == XattrMode::kReplace ? XATTR_REPLACE
                                                  : 0;
  return Do(
      [&] { return lsetxattr(At(path).c_str(), name.c_str(), value.data(), value.size(), flags); });
}

Result<std::vector<std::string>> MountProcess::ListXattr(const std::string& path) {
  std::string names(kXattrListMaxBytes, '\0');
  ASSIGN_OR_RETURN(const int64_t size,
                   Call([&] { return llistxattr(At(path).c_str(), names.data(), names.size()); }));
  names.resize(static_cast<size_t>(size));
  return std::vector<std::string>(absl::StrSplit(names, '\0', absl::SkipEmpty()));
}

Status MountProcess::RemoveXattr(const std::string& path, const std::string& name) {
  return Do([&] { return lremovexattr(At(path).c_str(), name.c_str()); });
}

}  // namespace tarn::testing
