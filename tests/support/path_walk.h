// Path resolution over the verbs of FileSystem, as the kernel does it on a mount: component by
// component, symlinks followed, at most 40 of them.
#pragma once

#include <optional>
#include <string>

#include "common/filesystem.h"

namespace tarn::testing {

// Where a path's last component is, whether or not something has that name.
struct Location {
  Handle dir;
  std::string name;                 // "." for the root itself
  std::optional<EntryReply> entry;  // what is there, if it was looked at and exists
};

enum class LastLink { kFollow, kKeep };

// Finds the directory of the last component, and with kFollow the component itself, however many
// symlinks lead to it. `root` is where absolute paths begin. Errors: of Lookup and ReadLink; ELOOP;
// ENAMETOOLONG (4096 bytes and more); ENOENT (empty).
Result<Location> Locate(FileSystem& fs, const Caller& caller, Handle root, const std::string& path,
                        LastLink last);

// What a path leads to. Errors: as above, and ENOENT.
Result<EntryReply> Walk(FileSystem& fs, const Caller& caller, Handle root, const std::string& path,
                        LastLink last);

}  // namespace tarn::testing
