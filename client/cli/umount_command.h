// `tarn umount`.
#pragma once

#include <string>

namespace tarn::cli {

struct UmountRequest {
  std::string directory;
  bool lazy = false;  // detach now, let users finish; does not wait for the daemon
  // Also if it is used, who does gets ENOTCONN; the daemon is killed if it does not end by itself
  // within a few seconds, and what the server does not have by then is lost.
  bool force = false;
  std::string program = "tarn umount";  // in messages
};

// Unmounts, and waits until the daemon has written everything and is gone, which takes as long as
// the server is away if something is left to write. Prints what went wrong; returns an exit code.
int RunUmount(const UmountRequest& request);

}  // namespace tarn::cli
