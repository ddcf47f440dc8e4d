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
#include "common/limits.h"

namespace tarn::cli {

struct ConnectRequest {
  MountSpec spec;
  bool read_only = false;
  bool cache = true;        // under leases
  uint32_t cache_mib = kCacheMibDefault;
  cache::FlushOnClose flush = cache::FlushOnClose::kClose;
  bool ignore_recalls = false;  // for tests of the tests
  std::string client_name;  // host and mount point, for people
  // The session of a mount of this host that is dead and should hold nobody up; empty: none.
  std::string previous_session;
  // Told which session this mount has, whenever it is another one; empty: none any more. May come
  // on any thread, until `close` has returned.
  std::function<void(const std::string&)> on_session;
};

// A file system that can be mounted.
struct Connection {
  std::shared_ptr<FileSystem> fs;
  Handle root;
  Attr root_attr;
  bool read_only = false;
  // What the kernel may keep, and who must be told which kernel's caches to empty (null: none any
  // more); both empty if nothing is cached.
  cache::Freshness* freshness = nullptr;
  std::function<void(cache::KernelCache*)> set_kernel;
  // Blocks until everything that the mount has acknowledged is at the server; empty: it always is.
  // Called when the mount is gone, before `close`; nothing but its end is waited for.
  std::function<void()> flush_all;
  // What flush_all has yet to write, for people: "3 files, 1.5 MiB". May be empty.
  std::function<std::string()> unwritten;
  // Answers what is outstanding and ends the session. Takes seconds at most.
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
