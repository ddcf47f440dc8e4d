#include "client/cli/mount_table.h"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

namespace tarn::cli {
namespace {

std::vector<std::string_view> Fields(std::string_view line, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    size_t end = line.find(separator);
    out.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return out;
    line.remove_prefix(end + 1);
  }
}

// Space, tab, newline and backslash are written as \ooo.
std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8).ec == std::errc()) {
      out.push_back(static_cast<char>(value));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

bool Has(std::string_view options, std::string_view wanted) {
  for (std::string_view option : Fields(options, ',')) {
    if (option == wanted) return true;
  }
  return false;
}

// 36 35 98:0 /root /point rw,noatime shared:1 - type source superoptions
std::optional<MountEntry> ParseLine(std::string_view line) {
  std::vector<std::string_view> left = Fields(line.substr(0, line.find(" - ")), ' ');
  if (left.size() < 6 || line.find(" - ") == std::string_view::npos) return std::nullopt;
  std::vector<std::string_view> right = Fields(line.substr(line.find(" - ") + 3), ' ');
  if (right.size() < 3) return std::nullopt;
  MountEntry out;
  std::vector<std::string_view> device = Fields(left[2], ':');
  if (device.size() != 2) return std::nullopt;
  std::from_chars(device[0].data(), device[0].data() + device[0].size(), out.major);
  std::from_chars(device[1].data(), device[1].data() + device[1].size(), out.minor);
  out.point = Unescape(left[4]);
  out.type = Unescape(right[0]);
  out.source = Unescape(right[1]);
  out.read_only = Has(left[5], "ro") || Has(right[2], "ro");
  return out;
}

Error SystemError(const std::string& what) {
  return {FromSystem(errno), what + ": " + strerror(errno)};
}

Result<std::string> RealPath(const std::string& path) {
  std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  if (real == nullptr) return SystemError(path);
  return std::string(real.get());
}

}  // namespace

std::vector<MountEntry> ParseMountInfo(std::string_view text) {
  std::vector<MountEntry> out;
  for (std::string_view line : Fields(text, '\n')) {
    if (auto entry = ParseLine(line)) out.push_back(*std::move(entry));
  }
  return out;
}

Result<std::vector<MountEntry>> ReadMountTable() {
  std::ifstream file("/proc/self/mountinfo");
  if (!file) return SystemError("cannot read /proc/self/mountinfo");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return ParseMountInfo(text);
}

std::optional<MountEntry> FindMount(const std::vector<MountEntry>& table, std::string_view point) {
  for (auto it = table.rbegin(); it != table.rend(); ++it) {
    if (it->point == point) return *it;
  }
  return std::nullopt;
}

Result<std::string> AbsolutePath(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.ends_with('/')) trimmed.pop_back();
  size_t slash = trimmed.rfind('/');
  std::string last = slash == std::string::npos ? trimmed : trimmed.substr(slash + 1);
  if (last.empty() || last == "." || last == "..") return RealPath(trimmed);
  std::string parent = slash == std::string::npos ? "." : trimmed.substr(0, slash + 1);
  Result<std::string> real = RealPath(parent);
  if (!real.ok()) return real.error();
  return (*real == "/" ? "" : *real) + "/" + last;
}

}  // namespace tarn::cli
