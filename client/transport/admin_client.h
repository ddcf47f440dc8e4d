// Questions to a server's control plane, for the `tarn` command: a call each, made and waited for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"

namespace tarn::transport {

struct FileSystemDescription {
  std::string id;
  std::string name;
  uint64_t bytes_used = 0;
  uint64_t inodes_used = 0;
  uint32_t sessions = 0;
};

// The file systems of `server` (as in ConnectOptions). Blocks for a few seconds at most.
// Errors: EINVAL (address), ETIMEDOUT (unreachable), EIO, each with a sentence for the user.
Result<std::vector<FileSystemDescription>> DescribeFileSystems(const std::string& server);

}  // namespace tarn::transport
