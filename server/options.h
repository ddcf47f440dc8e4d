// What tarnd is told: by flags, or by a file with the same names (deploy/config/tarnd.toml). Flags
// win.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"

namespace tarn {

struct ServerOptions {
  std::string state;                       // directory of all that is kept
  std::string listen = "127.0.0.1:7433";   // address:port; port 0: any free one
  bool insecure = false;                   // may listen beyond loopback without TLS
  std::string log_level = "info";
  bool efs_limits = false;                 // EFS's limits where they are below ours
  int64_t session_lifetime_s = 30;         // a session that was silent for so long may be fenced
  int64_t recall_deadline_s = 30;          // one that leaves a recall unanswered is, after this
  size_t block_cache_mib = 512;            // RocksDB's block cache, shared by all file systems
  size_t write_buffer_mib = 256;           // RocksDB's unwritten changes, likewise
  size_t request_memory_mib = 1024;        // requests under way; and as much while they arrive
  size_t scrub_hours = 168;                // between two looks at everything stored; 0: none
  size_t scrub_mib_per_second = 16;        // how fast they read
  bool fsck = false;                       // check `state` instead of serving it
  std::string file_system;                 // what to check; empty: everything
};

// What parsing came to: run with `options`, or exit with `exit_code` (the text is printed).
struct ParsedOptions {
  ServerOptions options;
  bool run = false;
  int exit_code = 0;
};
ParsedOptions ParseServerOptions(int argc, const char* const* argv);

// Whether `listen` ("address:port") is reachable from this machine only.
bool IsLoopback(const std::string& listen);

}  // namespace tarn
