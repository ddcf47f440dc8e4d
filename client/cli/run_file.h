// The file that stands for a running mount: `tarn umount` waits on its lock for the daemon's end.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "client/cli/mount_table.h"

namespace tarn::cli {

// Where files of running daemons are: /run/tarn or, of a user's mounts, $XDG_RUNTIME_DIR/tarn;
// empty: nowhere.
std::string RunDirectory();

// Named after the device of the mount, in RunDirectory().
// The daemon holds a lock on it for as long as it lives, however it ends.
// Thread safety: one thread at a time.
class RunFile {
 public:
  // Daemon: makes and locks the file. Errors: those of the file system, as a sentence; the mount
  // works without.
  static Result<RunFile> Make(const MountEntry& mount);
  // Others: opens that of a mount, while it is still mounted. nullopt: there is none.
  static std::optional<RunFile> Open(const MountEntry& mount);
  RunFile(RunFile&& other) noexcept;
  RunFile& operator=(RunFile&&) = delete;
  // The maker's removes the file, and so does that of somebody who saw the daemon's end.
  ~RunFile();

  // Others: waits until the daemon is gone. Interrupted by signals only through their default.
  void AwaitEnd();
  // Likewise, for at most `limit`; then kills it. True: it ended by itself.
  bool EndWithin(absl::Duration limit);

 private:
  RunFile(std::string path, int fd, bool own) : path_(std::move(path)), fd_(fd), own_(own) {}

  const std::string path_;
  int fd_;
  bool own_;
};

}  // namespace tarn::cli
