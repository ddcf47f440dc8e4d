// What CachedFs reads off the shape of arguments and replies.
#pragma once

#include <algorithm>
#include <concepts>
#include <string>
#include <utility>
#include <vector>

#include "common/verbs.h"

namespace tarn::cache {

// What a change of our own concerns, as far as can be told beforehand.
struct Touched {
  std::vector<Ino> inodes;
  std::vector<std::pair<Ino, std::string>> names;
  bool unknown = false;  // or an inode whose name is not known
};

// The inode that a verb of one inode is about.
template <class Args>
Handle HandleOf(const Args& args) {
  if constexpr (requires { args.dir; }) {
    return args.dir;
  } else {
    return args.inode;
  }
}

// Calls `visit` with every handle of a reply.
template <class Reply, class Visit>
void ForEachHandleIn(Reply& reply, Visit visit) {
  if constexpr (std::same_as<Reply, EntryReply>) {
    visit(reply.handle);
  } else if constexpr (std::same_as<Reply, ReadDirReply>) {
    for (DirEntry& entry : reply.entries) {
      if (entry.entry.has_value()) visit(entry.entry->handle);
    }
  }
}

// The verb may take an inode's last name.
template <class V>
inline constexpr bool kTakesNames = std::same_as<V, verbs::Unlink> ||
                                    std::same_as<V, verbs::RemoveDir> ||
                                    std::same_as<V, verbs::Rename>;

// What of `changed` may have lost its name: all but the directories that the verb was given, which
// are among `touched` together with children whose leases the kernel's FORGET returns.
inline std::vector<Ino> Gone(const std::vector<Ino>& changed, const std::vector<Ino>& dirs) {
  std::vector<Ino> gone;
  for (const Ino ino : changed) {
    if (std::find(dirs.begin(), dirs.end(), ino) == dirs.end()) gone.push_back(ino);
  }
  return gone;
}

}  // namespace tarn::cache
