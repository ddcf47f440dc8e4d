// `tarn umount`.
#pragma once

#include <string>

namespace tarn::cli {

struct UmountRequest {
  std::string directory;
  bool lazy = false;  // detach now, let users finish; does not wait for the daemon
};

// Unmounts and waits until the daemon is gone. Prints what went wrong; returns an exit code.
int RunUmount(const UmountRequest& request);

}  // namespace tarn::cli
