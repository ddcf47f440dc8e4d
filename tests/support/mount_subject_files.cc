// MountProcess: descriptors and locks.
#include <dirent.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "tests/support/mount_process.h"

namespace tarn::testing {
namespace {

constexpr size_t kListingBytes = 4096;  // small, so that listings take several calls

int Num(Fd fd) {
  return static_cast<int>(fd);
}

int FallocateMode(AllocateMode mode) {
  switch (mode) {
    case AllocateMode::kExtend:
      return 0;
    case AllocateMode::kKeepSize:
      return FALLOC_FL_KEEP_SIZE;
    case AllocateMode::kPunchHole:
      return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    case AllocateMode::kZeroRange:
      return FALLOC_FL_ZERO_RANGE;
    case AllocateMode::kZeroRangeKeepSize:
      return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
  }
  return 0;
}

struct flock RangeOf(LockType type, uint64_t start, uint64_t end) {
  struct flock range = {};
  range.l_type = type == LockType::kRead ? F_RDLCK : type == LockType::kWrite ? F_WRLCK : F_UNLCK;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(start);
  range.l_len = end == kLockToEnd ? 0 : static_cast<off_t>(end - start + 1);
  return range;
}

int LockCommand(LockStyle style, bool wait) {
  if (style == LockStyle::kOfd) return wait ? F_OFD_SETLKW : F_OFD_SETLK;
  return wait ? F_SETLKW : F_SETLK;
}

int FlockOperation(LockType type, bool wait) {
  if (type == LockType::kUnlock) return LOCK_UN;
  return (type == LockType::kRead ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
}

}  // namespace

Result<Fd> MountProcess::Open(const std::string& path, int flags, uint32_t mode) {
  ASSIGN_OR_RETURN(const int64_t fd,
                   Call([&] { return open(At(path).c_str(), flags | O_CLOEXEC, mode); }));
  return Fd{static_cast<int>(fd)};
}

Status MountProcess::Close(Fd fd) {
  return Do([&] { return close(Num(fd)); });
}

Result<std::string> MountProcess::Read(Fd fd, size_t size, uint64_t offset) {
  std::string data(size, '\0');
  ASSIGN_OR_RETURN(const int64_t done, Call([&] {
                     return pread(Num(fd), data.data(), size, static_cast<off_t>(offset));
                   }));
  data.resize(static_cast<size_t>(done));
  return data;
}

Result<size_t> MountProcess::Write(Fd fd, std::string_view data, uint64_t offset) {
  ASSIGN_OR_RETURN(const int64_t done, Call([&] {
                     return pwrite(Num(fd), data.data(), data.size(), static_cast<off_t>(offset));
                   }));
  return static_cast<size_t>(done);
}

Result<size_t> MountProcess::Append(Fd fd, std::string_view data) {
  ASSIGN_OR_RETURN(const int64_t done,
                   Call([&] { return write(Num(fd), data.data(), data.size()); }));
  return static_cast<size_t>(done);
}

Status MountProcess::FTruncate(Fd fd, int64_t size) {
  return Do([&] { return ftruncate(Num(fd), size); });
}

Status MountProcess::Fsync(Fd fd) {
  return Do([&] { return fsync(Num(fd)); });
}

Status MountProcess::Allocate(Fd fd, AllocateMode mode, uint64_t offset, uint64_t length) {
  return Do([&] {
    return fallocate(Num(fd), FallocateMode(mode), static_cast<off_t>(offset),
                     static_cast<off_t>(length));
  });
}

Result<uint64_t> MountProcess::Seek(Fd fd, SeekWhence whence, uint64_t offset) {
  const int how = whence == SeekWhence::kData ? SEEK_DATA : SEEK_HOLE;
  ASSIGN_OR_RETURN(const int64_t at,
                   Call([&] { return lseek(Num(fd), static_cast<off_t>(offset), how); }));
  return static_cast<uint64_t>(at);
}

Result<uint64_t> MountProcess::CopyRange(Fd source, uint64_t source_offset, Fd target,
                                         uint64_t target_offset, uint64_t length) {
  auto from = static_cast<off_t>(source_offset);
  auto to = static_cast<off_t>(target_offset);
  ASSIGN_OR_RETURN(const int64_t copied, Call([&] {
                     return copy_file_range(Num(source), &from, Num(target), &to, length, 0);
                   }));
  return static_cast<uint64_t>(copied);
}

Status MountProcess::LinkFd(Fd fd, const std::string& path) {
  // thread-self: the descriptors are the thread's own.
  const std::string from = "/proc/thread-self/fd/" + std::to_string(Num(fd));
  return Do([&] {
    return linkat(AT_FDCWD, from.c_str(), AT_FDCWD, At(path).c_str(), AT_SYMLINK_FOLLOW);
  });
}

Result<std::vector<DirRecord>> MountProcess::ReadDir(Fd fd, uint64_t cookie) {
  std::string buffer(kListingBytes, '\0');
  RETURN_IF_ERROR(Call([&] { return lseek(Num(fd), static_cast<off_t>(cookie), SEEK_SET); }));
  ASSIGN_OR_RETURN(const int64_t filled, Call([&] {
                     return syscall(SYS_getdents64, Num(fd), buffer.data(), buffer.size());
                   }));
  std::vector<DirRecord> records;
  for (int64_t at = 0; at < filled;) {
    const char* raw = buffer.data() + at;
    dirent64 head;
    std::memcpy(&head, raw, offsetof(dirent64, d_name));
    records.push_back({raw + offsetof(dirent64, d_name), Ino{head.d_ino},
                       static_cast<FileType>(head.d_type), static_cast<uint64_t>(head.d_off)});
    at += head.d_reclen;
  }
  return records;
}

Status MountProcess::SetLock(Fd fd, LockStyle style, LockType type, uint64_t start, uint64_t end,
                             bool wait) {
  if (style == LockStyle::kFlock) {
    return Do([&] { return flock(Num(fd), FlockOperation(type, wait)); });
  }
  struct flock range = RangeOf(type, start, end);
  return Do([&] { return fcntl(Num(fd), LockCommand(style, wait), &range); });
}

Result<FileLock> MountProcess::GetLock(Fd fd, LockType type, uint64_t start, uint64_t end) {
  struct flock range = RangeOf(type, start, end);
  RETURN_IF_ERROR(Call([&] { return fcntl(Num(fd), F_GETLK, &range); }));
  FileLock lock;
  lock.type = range.l_type == F_UNLCK   ? LockType::kUnlock
              : range.l_type == F_RDLCK ? LockType::kRead
                                        : LockType::kWrite;
  lock.start = static_cast<uint64_t>(range.l_start);
  lock.end = range.l_len == 0 ? kLockToEnd : static_cast<uint64_t>(range.l_start + range.l_len - 1);
  lock.pid = static_cast<uint32_t>(range.l_pid);
  return lock;
}

}  // namespace tarn::testing
