// `tarn mount`, and what mount.tarn shares with it.
#pragma once

#include <string>
#include <vector>

#include "client/cli/environment.h"
#include "client/fuse/options.h"

namespace tarn::cli {

struct MountRequest {
  std::string spec;
  std::string directory;
  std::vector<std::string> option_lists;
  bool sloppy = false;      // ignore unknown options
  bool foreground = false;  // do not become a daemon
  bool check_only = false;  // stop before anything is mounted
  std::string log_level;    // empty: as the options say, else info
  std::string log_file;
};

// Mounts; returns when the mount answers, or with `foreground` when it is gone. Prints what went
// wrong on standard error. Returns an exit code.
int RunMount(const MountRequest& request, const Environment& environment);

// Where the daemon of a mount at `directory` logs unless told: /var/log/tarn/NAME.log as root, else
// empty: nowhere.
std::string DefaultLogFile(const std::string& directory);

}  // namespace tarn::cli
