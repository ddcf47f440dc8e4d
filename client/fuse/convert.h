// Tarn's values as the kernel wants them, and back. Pure functions; no libfuse.
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstdint>
#include <optional>

#include "common/filesystem.h"

struct flock;

namespace tarn::fuse {

// st_blksize: what programs take as the best size of a read or write. Larger means fewer round
// trips; this much is still cheap to allocate for every stdio stream.
inline constexpr uint32_t kPreferredIoBytes = 128 * 1024;
// Unit in which statvfs counts.
inline constexpr uint32_t kStatFsUnit = 4096;
// What statfs shows where nothing limits the file system: EFS's own number, 8 EiB.
inline constexpr uint64_t kUnlimitedBytes = uint64_t{1} << 63;

timespec ToTimespec(Timestamp t);
// Times beyond what a Timestamp holds become the nearest that it does.
Timestamp FromTimespec(const timespec& t);

mode_t ToMode(FileType type, uint32_t permissions);
// nullopt: no type of file that Tarn knows.
std::optional<FileType> TypeOfMode(mode_t mode);

struct stat ToStat(const Attr& attr);
struct statx ToStatx(const Attr& attr);
struct statvfs ToStatVfs(const StatFsReply& reply);

// The access part of open(2)'s flags. Mode 3 (neither read nor write) is kNone.
OpenAccess AccessOfFlags(int flags);
// fallocate(2)'s mode; nullopt: not supported.
std::optional<AllocateMode> AllocateModeOf(int mode);
// renameat2(2)'s flags; nullopt: invalid or not supported.
std::optional<RenameMode> RenameModeOf(unsigned flags);
// setxattr(2)'s flags; nullopt: invalid.
std::optional<XattrMode> XattrModeOf(int flags);

// fcntl's lock, which libfuse has already made absolute; nullopt: no such type.
std::optional<FileLock> FromFlock(const struct flock& lock);
struct flock ToFlock(const FileLock& lock);

}  // namespace tarn::fuse
