// The daemon of one mount, from connecting to the end.
#pragma once

#include <string>

#include "client/cli/environment.h"
#include "client/cli/launch.h"
#include "client/fuse/options.h"

namespace tarn::cli {

struct ServeRequest {
  MountSpec spec;
  std::string source;     // the spec as it was written
  std::string directory;  // absolute
  fuse::MountOptions options;
  std::string log_level;
};

// Connects, mounts, says so through `launch`, and serves until the mount is gone or SIGTERM or
// SIGINT detaches it. Returns an exit code; what went wrong before the mount was there is reported,
// and printed in the foreground.
int Serve(const ServeRequest& request, const Environment& environment, Launch& launch);

}  // namespace tarn::cli
