// What is mounted, as people write it: SERVER[:PORT]:/FILE-SYSTEM[/DIRECTORY].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/limits.h"
#include "common/result.h"

namespace tarn::cli {

struct ServerAddress {
  std::string host;  // name, IPv4, or IPv6 without brackets
  uint16_t port = kDefaultPort;
  bool operator==(const ServerAddress&) const = default;
};
// host:port, or [IPv6]:port.
std::string ToString(const ServerAddress& address);

struct MountSpec {
  ServerAddress server;
  std::string file_system;  // name or id
  std::string directory;    // in it, "/a/b"; empty: its root
  bool operator==(const MountSpec&) const = default;
};

// HOST, HOST:PORT, [IPv6] or [IPv6]:PORT. Errors: EINVAL with a sentence.
Result<ServerAddress> ParseServerAddress(std::string_view text);
// Errors: EINVAL with a sentence.
Result<MountSpec> ParseMountSpec(std::string_view text);

}  // namespace tarn::cli
