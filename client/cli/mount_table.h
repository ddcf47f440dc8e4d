// What is mounted on this machine, seen through /proc, which never asks a mount's daemon.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace tarn::cli {

struct MountEntry {
  unsigned major = 0, minor = 0;  // of the file system's device
  std::string point;
  std::string type;
  std::string source;
  bool read_only = false;
  bool is_tarn() const { return type == "fuse.tarn"; }
  bool operator==(const MountEntry&) const = default;
};

// The text of /proc/PID/mountinfo. Lines that make no sense are left out.
std::vector<MountEntry> ParseMountInfo(std::string_view text);
// Errors: those of reading /proc/self/mountinfo.
Result<std::vector<MountEntry>> ReadMountTable();
// What is visible at `point`: the last that was mounted there.
std::optional<MountEntry> FindMount(const std::vector<MountEntry>& table, std::string_view point);

// `path` made absolute, without symlinks but for its last component, which is not looked at: a
// mount whose daemon hangs or is dead can be named. Errors: ENOENT, ENOTDIR, EACCES of the parent.
Result<std::string> AbsolutePath(const std::string& path);

}  // namespace tarn::cli
