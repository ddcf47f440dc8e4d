// The differences between a Tarn mount and a local file system that are none to an application, or
// that no FUSE file system can avoid: the only ones that the comparison lets pass.
#pragma once

#include <string_view>

#include "tests/posix/differential/op.h"
#include "tests/posix/differential/reply.h"

namespace tarn::differential {

struct KnownDifference {
  std::string_view what;
  std::string_view reason;
  std::string_view treatment;
};

inline constexpr KnownDifference kKnownDifferences[] = {
    {"st_ino, st_dev, st_blksize", "names and geometry of the file system's own",
     "not compared; that two names lead to one object on one side exactly if they do on the other "
     "is"},
    {"size and blocks of directories", "ext4 counts blocks of entries, Tarn has no such blocks",
     "not compared"},
    {"blocks of symbolic links", "ext4 stores short ones in the inode", "not compared"},
    {"st_blocks of regular files",
     "blocks are of 4 KiB on ext4 and of 16 KiB here; ext4 adds blocks of extents and of xattrs",
     "at most a block if 0 there, else within a factor; not compared once fallocate was used on "
     "the file"},
    {"st_blocks of what copy_file_range copied holes to or from",
     "Tarn leaves holes out, ext4 writes the zeros that it reads",
     "may be fewer here once copy_file_range was used on the file"},
    {"where SEEK_DATA and SEEK_HOLE land", "granularity of blocks, preallocation",
     "each side's answer is checked against its own content"},
    {"atime",
     "relatime, and may lag: reads are served from the kernel's cache (proto/SEMANTICS.md)",
     "compared only right after it was set"},
    {"times of FIFOs", "the kernel does not tell a FUSE daemon of reads and writes through a pipe",
     "not compared"},
    {"order, d_off and end of directories", "hash order of names",
     "sets compared, seekdir checked"},
    {"holder of a lock where open file descriptions are concerned",
     "the kernel shows -1 for any holder that F_OFD_GETLK finds through FUSE, and FUSE has no way "
     "to say -1 of a description that F_GETLK finds",
     "not compared"},
    {"ctime after an xattr is set to the value that it has, or an absent ACL is removed",
     "ext4 notices that nothing changes, other file systems change ctime",
     "may change here where it does not there"},
    {"chown to -1, -1", "FUSE tells the daemon nothing of it, so ctime and suid stay",
     "not called"},
    {"inodes without a name held by descriptors with O_PATH or of FIFOs only",
     "FUSE tells the daemon of no such descriptor; stat fails ESTALE some seconds after unlink",
     "files and directories are held open besides, the rest closed when the name goes"},
    {"opening device nodes", "FUSE mounts are nodev unless told otherwise",
     "devices are made, renamed, changed, but never opened"},
    {"O_DIRECT at odd offsets and sizes", "ext4 wants whole sectors, FUSE takes anything",
     "both sides are asked whole pages, and no copy_file_range or sendfile"},
    {"sendfile from a file to itself", "pages may be overwritten before they are copied",
     "not called"},
    {"FALLOC_FL_COLLAPSE_RANGE, INSERT_RANGE, RENAME_WHITEOUT, chattr",
     "refused by FUSE in the kernel, or not offered", "not called"},
    {"xattr values above 1 KiB, files above 8 TiB", "ext4's limits are lower than Tarn's",
     "not reached here; tests/posix/limits_test.sh does"},
};

// True if the two numbers of sectors may be those of equal content; with `holes_kept` the tested
// side may have fewer.
bool BlocksAgree(uint64_t tested, uint64_t reference, bool holes_kept);

// True if `tested` says what `reference` does, where the answer to `op` may differ.
bool DetailsAgree(const Op& op, std::string_view tested, std::string_view reference);

// True if `op` may change ctime though it does not on the reference side.
bool MayChangeCtime(const Op& op);

}  // namespace tarn::differential
