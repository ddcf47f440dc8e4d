// What a mount asks of a server, and what it is told.
#pragma once

#include <cstdint>
#include <string>

#include "common/filesystem.h"
#include "common/limits.h"
#include "common/siphash.h"

namespace tarn::transport {

struct ConnectOptions {
  std::string server;  // host, host:port, [v6]:port or unix:/path
  std::string file_system = "default";  // name or id
  std::string directory;                // in it; empty: its root
  bool read_only = false;
  std::string client_name;  // host and mount point, for people
  int64_t connect_timeout_nanos = 10 * kSecondNanos;
};

struct SessionInfo {
  EntryReply root;
  SipKey hash_key;  // of directory entry names
  uint32_t block_bytes = 0;
  std::string file_system_id;
  bool read_only = false;
};

}  // namespace tarn::transport
