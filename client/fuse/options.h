// Mount options: what -o of mount(8), /etc/fstab and `tarn mount` may say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cache/kernel.h"
#include "common/limits.h"
#include "common/result.h"

namespace tarn::fuse {

struct MountOptions {
  bool read_only = false;
  bool suid = true;
  bool dev = true;
  bool exec = true;
  bool atime = true;  // the kernel's flag only; the server keeps atime by the relatime rule
  bool diratime = true;
  bool sync = false;  // every write as with O_SYNC
  bool follow_symlinks = true;
  bool allow_other = true;
  bool default_permissions = true;
  bool remount = false;
  bool cache = true;  // off: nothing is kept, every operation asks the server
  uint32_t cache_mib = kCacheMibDefault;  // of memory for what is kept
  cache::FlushOnClose flush = cache::FlushOnClose::kClose;
  bool soft = false;  // a server that is away is waited for only for so long:
  uint32_t timeo = 600;  // tenths of a second, as in nfs(5)
  bool test_ignore_recalls = false;  // not coherent: shows that the tests would notice
  std::optional<std::string> log_level;
  std::optional<std::string> log_file;
  bool operator==(const MountOptions&) const = default;
};

// Parses comma-separated lists in order, a later option over an earlier one. `user` and its like
// imply noexec, nosuid and nodev, as mount(8) has it.
// Errors: EINVAL with a sentence for an unknown option (`sloppy`: it is ignored) and for one that
// asks for what Tarn cannot do (never ignored).
Result<MountOptions> ParseMountOptions(const std::vector<std::string>& lists, bool sloppy = false,
                                       const MountOptions& defaults = {});

// The flags of mount(2) that the options ask for.
unsigned long MountFlags(const MountOptions& options);

// For --help: names of the options, a line each group.
std::string_view MountOptionHelp();

}  // namespace tarn::fuse
