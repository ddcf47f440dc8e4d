#include "client/fuse/convert.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <limits>

#include "common/limits.h"

namespace tarn::fuse {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

statx_timestamp ToStatxTime(Timestamp t) {
  timespec ts = ToTimespec(t);
  statx_timestamp out{};
  out.tv_sec = ts.tv_sec;
  out.tv_nsec = static_cast<uint32_t>(ts.tv_nsec);
  return out;
}

}  // namespace

timespec ToTimespec(Timestamp t) {
  int64_t seconds = t.ns / kSecond, rest = t.ns % kSecond;
  if (rest < 0) {
    --seconds;
    rest += kSecond;
  }
  return {.tv_sec = seconds, .tv_nsec = rest};
}

Timestamp FromTimespec(const timespec& t) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  int64_t ns = 0;
  if (__builtin_mul_overflow(static_cast<int64_t>(t.tv_sec), kSecond, &ns) ||
      __builtin_add_overflow(ns, static_cast<int64_t>(t.tv_nsec), &ns)) {
    return {t.tv_sec < 0 ? kMin : kMax};
  }
  return {ns};
}

mode_t ToMode(FileType type, uint32_t permissions) {
  return (static_cast<mode_t>(type) << 12) | permissions;
}

std::optional<FileType> TypeOfMode(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFIFO:
    case S_IFCHR:
    case S_IFDIR:
    case S_IFBLK:
    case S_IFREG:
    case S_IFLNK:
    case S_IFSOCK:
      return static_cast<FileType>((mode & S_IFMT) >> 12);
    default:
      return std::nullopt;
  }
}

struct stat ToStat(const Attr& attr) {
  struct stat out {};
  out.st_ino = Raw(attr.ino);
  out.st_mode = ToMode(attr.type, attr.mode);
  out.st_nlink = attr.nlink;
  out.st_uid = attr.uid;
  out.st_gid = attr.gid;
  out.st_rdev = attr.rdev;
  out.st_size = static_cast<off_t>(attr.size);
  out.st_blksize = kPreferredIoBytes;
  out.st_blocks = static_cast<blkcnt_t>(attr.allocated / 512);
  out.st_atim = ToTimespec(attr.atime);
  out.st_mtim = ToTimespec(attr.mtime);
  out.st_ctim = ToTimespec(attr.ctime);
  return out;
}

struct statx ToStatx(const Attr& attr) {
  struct statx out {};
  out.stx_mask = STATX_BASIC_STATS | STATX_BTIME;
  out.stx_blksize = kPreferredIoBytes;
  out.stx_nlink = attr.nlink;
  out.stx_uid = attr.uid;
  out.stx_gid = attr.gid;
  out.stx_mode = static_cast<uint16_t>(ToMode(attr.type, attr.mode));
  out.stx_ino = Raw(attr.ino);
  out.stx_size = attr.size;
  out.stx_blocks = attr.allocated / 512;
  out.stx_atime = ToStatxTime(attr.atime);
  out.stx_btime = ToStatxTime(attr.btime);
  out.stx_ctime = ToStatxTime(attr.ctime);
  out.stx_mtime = ToStatxTime(attr.mtime);
  out.stx_rdev_major = major(attr.rdev);
  out.stx_rdev_minor = minor(attr.rdev);
  return out;
}

struct statvfs ToStatVfs(const StatFsReply& reply) {
  uint64_t total = reply.bytes_total != 0 ? reply.bytes_total : kUnlimitedBytes;
  uint64_t free = total - std::min(total, reply.bytes_used);
  struct statvfs out {};
  out.f_bsize = kStatFsUnit;
  out.f_frsize = kStatFsUnit;
  out.f_blocks = total / kStatFsUnit;
  out.f_bfree = free / kStatFsUnit;
  out.f_bavail = out.f_bfree;
  out.f_files = reply.inodes_total;
  out.f_ffree = reply.inodes_total - std::min(reply.inodes_total, reply.inodes_used);
  out.f_favail = out.f_ffree;
  out.f_namemax = kNameMaxBytes;
  return out;
}

OpenAccess AccessOfFlags(int flags) {
  switch (flags & O_ACCMODE) {
    case O_RDONLY:
      return OpenAccess::kRead;
    case O_WRONLY:
      return OpenAccess::kWrite;
    case O_RDWR:
      return OpenAccess::kReadWrite;
    default:
      return OpenAccess::kNone;
  }
}

std::optional<AllocateMode> AllocateModeOf(int mode) {
  switch (mode) {
    case 0:
      return AllocateMode::kExtend;
    case FALLOC_FL_KEEP_SIZE:
      return AllocateMode::kKeepSize;
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      return AllocateMode::kPunchHole;
    case FALLOC_FL_ZERO_RANGE:
      return AllocateMode::kZeroRange;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
      return AllocateMode::kZeroRangeKeepSize;
    default:
      return std::nullopt;
  }
}

std::optional<RenameMode> RenameModeOf(unsigned flags) {
  switch (flags) {
    case 0:
      return RenameMode::kReplace;
    case RENAME_NOREPLACE:
      return RenameMode::kNoReplace;
    case RENAME_EXCHANGE:
      return RenameMode::kExchange;
    default:
      return std::nullopt;
  }
}

std::optional<XattrMode> XattrModeOf(int flags) {
  switch (flags) {
    case 0:
      return XattrMode::kSet;
    case XATTR_CREATE:
      return XattrMode::kCreate;
    case XATTR_REPLACE:
      return XattrMode::kReplace;
    default:
      return std::nullopt;
  }
}

std::optional<FileLock> FromFlock(const struct flock& lock) {
  FileLock out;
  switch (lock.l_type) {
    case F_UNLCK:
      out.type = LockType::kUnlock;
      break;
    case F_RDLCK:
      out.type = LockType::kRead;
      break;
    case F_WRLCK:
      out.type = LockType::kWrite;
      break;
    default:
      return std::nullopt;
  }
  out.start = static_cast<uint64_t>(lock.l_start);
  out.end = lock.l_len == 0 ? kLockToEnd : out.start + static_cast<uint64_t>(lock.l_len) - 1;
  out.pid = static_cast<uint32_t>(lock.l_pid);
  return out;
}

struct flock ToFlock(const FileLock& lock) {
  struct flock out {};
  out.l_type = lock.type == LockType::kUnlock ? F_UNLCK
               : lock.type == LockType::kRead ? F_RDLCK
                                              : F_WRLCK;
  out.l_whence = SEEK_SET;
  out.l_start = static_cast<off_t>(lock.start);
  bool to_end = lock.end >= static_cast<uint64_t>(std::numeric_limits<off_t>::max());
  out.l_len = to_end ? 0 : static_cast<off_t>(lock.end - lock.start + 1);
  out.l_pid = static_cast<pid_t>(lock.pid);
  return out;
}

}  // namespace tarn::fuse
