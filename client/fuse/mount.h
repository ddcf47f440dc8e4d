// One mount: a FileSystem made visible at a directory, from mount(2) to umount(2).
#pragma once

#include <memory>
#include <string>

#include "client/cache/kernel.h"
#include "client/fuse/options.h"
#include "common/filesystem.h"

namespace tarn::fuse {

struct MountConfig {
  std::string source;     // what df shows, for example server:/default
  std::string directory;  // absolute
  MountOptions options;
  Handle root;  // what is mounted: a directory of the file system
  Attr root_attr;
  cache::Freshness* freshness = nullptr;  // says what the kernel may keep; null: nothing
};

// Thread safety: Stop may be called from any thread, and Run once.
// Lifetime: the FileSystem outlives it. Destroy it after Run has returned and the FileSystem was
// closed or answers everything by itself: the destructor waits for the calls under way.
class Mount {
 public:
  // Mounts. From here on, requests of processes wait until Run serves them. As root by mount(2)
  // itself, otherwise through fusermount3.
  // Errors: those of mount(2) and of opening /dev/fuse, as a sentence.
  static Result<std::unique_ptr<Mount>> Make(FileSystem& fs, const MountConfig& config);
  virtual ~Mount() = default;

  // The kernel's caches of this mount. Nothing happens in them once Run has returned.
  virtual cache::KernelCache& kernel_cache() = 0;
  // Serves until the mount is gone or Stop is called. Errors: EIO.
  virtual Status Run() = 0;
  // Detaches the directory and ends Run; whoever still uses the mount gets ENOTCONN.
  virtual void Stop() = 0;
};

}  // namespace tarn::fuse
