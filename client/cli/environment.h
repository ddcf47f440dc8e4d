// What the commands need of the rest of the client. main.cc fills it in, so that this folder knows
// the FileSystem it mounts only as such, and no network.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/cache/kernel.h"
#include "client/cli/spec.h"
#include "common/filesystem.h"

namespace tarn::cli {

struct ConnectRequest {
  MountSpec spec;
  bool read_only = false;
  bool cache = true;        // under leases
  bool ignore_recalls = false;  // for tests of the tests
  std::string client_name;  // host and mount point, for people
};

// A file system that can be mounted.
struct Connection {
  std::shared_ptr<FileSystem> fs;
  Handle root;
  bool read_only = false;
  // What the kernel may keep, and who must be told which kernel's caches to empty (null: none any
  // more); both empty if nothing is cached.
  cache::Freshness* freshness = nullptr;
  std::function<void(cache::KernelCache*)> set_kernel;
  // Answers what is outstanding and ends the session.
  std::function<void()> close;
};

// One line of `tarn status`.
struct FileSystemRow {
  std::string id;
  std::string name;
  uint64_t bytes_used = 0;
  uint64_t inodes_used = 0;
  uint32_t sessions = 0;
};

struct Environment {
  std::string version;
  // Starts threads: called after the last fork. Errors: a sentence for the user.
  std::function<Result<Connection>(const ConnectRequest&)> connect;
  std::function<Result<std::vector<FileSystemRow>>(const ServerAddress&)> describe;
};

// Exit codes of all commands; those of mount(8).
inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 1;
inline constexpr int kExitSystem = 2;
inline constexpr int kExitFailure = 32;

}  // namespace tarn::cli
