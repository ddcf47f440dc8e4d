// Paths of inodes, found from below: for reports about a store, which has no use for them itself.
//
// Thread safety: one thread at a time. Lifetime: not beyond the Kv. Costs a walk over all names.
#pragma once

#include <map>
#include <set>
#include <string>

#include "server/store/kv.h"
#include "common/types.h"

namespace tarn::store {

// "/a/b" of a directory; where the way up cannot be followed it begins with "...".
std::string DirectoryPath(Kv& kv, Ino dir);

// One path for each of `inos` that has a name.
std::map<Ino, std::string> FindPaths(Kv& kv, const std::set<Ino>& inos);

// "/a/b (inode 5)", or "inode 5, which has no name".
std::string NameInode(const std::map<Ino, std::string>& paths, Ino ino);

// `dir` and `name` put together.
std::string JoinPath(const std::string& dir, std::string_view name);

}  // namespace tarn::store
