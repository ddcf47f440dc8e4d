// What tarnd is told: by flags, or by a file with the same names (deploy/config/tarnd.toml). Flags
// win.
#pragma once

#include <string>

#include "common/result.h"

namespace tarn {

struct ServerOptions {
  std::string state;                       // directory of all that is kept
  std::string listen = "127.0.0.1:7433";   // address:port; port 0: any free one
  bool insecure = false;                   // may listen beyond loopback without TLS
  std::string log_level = "info";
  bool efs_limits = false;                 // EFS's limits where they are below ours
  size_t block_cache_mib = 512;            // RocksDB's block cache, shared by all file systems
  size_t write_buffer_mib = 256;           // RocksDB's unwritten changes, likewise
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
