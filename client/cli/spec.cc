#include "client/cli/spec.h"

#include <algorithm>
#include <charconv>

namespace tarn::cli {
namespace {

Error Bad(std::string_view text, const std::string& why) {
  return {Errno::kEINVAL, "'" + std::string(text) + "': " + why};
}

Result<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return Bad(text, "a port is a number from 1 to 65535");
  }
  return port;
}

}  // namespace

std::string ToString(const ServerAddress& address) {
  bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Result<ServerAddress> ParseServerAddress(std::string_view text) {
  ServerAddress out;
  std::string_view rest;
  if (text.starts_with('[')) {
    size_t close = text.find(']');
    if (close == std::string_view::npos) return Bad(text, "the ']' of the IPv6 address is missing");
    out.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
  } else {
    size_t colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) {
      return Bad(text, "an IPv6 address is written in brackets: [::1] or [::1]:7433");
    }
    out.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? "" : text.substr(colon);
  }
  if (out.host.empty()) return Bad(text, "the server's name is missing");
  if (out.host.find_first_of("[]/ ") != std::string::npos) {
    return Bad(text, "'[', ']', '/' and blanks have no place in a server's name");
  }
  if (rest.empty()) return out;
  if (!rest.starts_with(':')) return Bad(text, "expected ':PORT' after the address");
  ASSIGN_OR_RETURN(out.port, ParsePort(rest.substr(1)));
  return out;
}

Result<MountSpec> ParseMountSpec(std::string_view text) {
  size_t slash = text.find(":/");
  if (slash == std::string_view::npos) {
    return Bad(text,
               "expected SERVER[:PORT]:/FILE-SYSTEM[/DIRECTORY], for example server:/default");
  }
  MountSpec out;
  ASSIGN_OR_RETURN(out.server, ParseServerAddress(text.substr(0, slash)));
  std::string_view path = text.substr(slash + 1);
  while (!path.empty()) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    if (part.empty() || part == ".") continue;
    if (part == "..") return Bad(text, "'..' has no place in what is mounted");
    if (out.file_system.empty()) {
      out.file_system = part;
    } else {
      out.directory.append("/").append(part);
    }
  }
  if (out.file_system.empty()) {
    return Bad(text,
               "name a file system after the '/', for example server:/default ('tarn status "
               "SERVER' lists them)");
  }
  return out;
}

}  // namespace tarn::cli
