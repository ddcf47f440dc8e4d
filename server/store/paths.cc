#include "server/store/paths.h"

#include <fmt/format.h>

#include "server/store/keys.h"
#include "server/store/records.h"
#include "server/store/walk.h"

namespace tarn::store {
namespace {

constexpr int kLevelsMax = 4'096;

}  // namespace

std::string JoinPath(const std::string& dir, std::string_view name) {
  return dir == "/" ? dir + std::string(name) : fmt::format("{}/{}", dir, name);
}

std::string DirectoryPath(Kv& kv, Ino dir) {
  std::string path;
  for (int level = 0; level < kLevelsMax; ++level) {
    if (dir == kRootIno) return path.empty() ? "/" : path;
    const auto value = kv.Get(Family::kInode, InodeKey(dir), Tier::kScan);
    if (!value.ok() || !*value) break;
    const auto inode = DecodeInode(dir, (*value)->view);
    if (!inode.ok() || inode->attr.type != FileType::kDirectory || inode->attr.nlink == 0) break;
    path = "/" + inode->name + path;
    dir = inode->parent;
  }
  return fmt::format("...inode {}{}", Raw(dir), path);
}

std::map<Ino, std::string> FindPaths(Kv& kv, const std::set<Ino>& inos) {
  std::map<Ino, std::string> paths;
  if (inos.contains(kRootIno)) paths[kRootIno] = "/";
  if (paths.size() == inos.size()) return paths;
  ToughWalk walk(kv, Family::kDentry, "", "");
  while (paths.size() < inos.size() && walk.Next()) {
    if (walk.damage() != nullptr) continue;
    const auto parts = ParseDentryKey(walk.key());
    const auto dentry = DecodeDentry(walk.key(), walk.value());
    if (!parts || !dentry.ok() || !inos.contains(dentry->ino)) continue;
    const Ino dir{*ReadBe64(walk.key().substr(0, 8))};
    paths.try_emplace(dentry->ino, JoinPath(DirectoryPath(kv, dir), parts->name));
  }
  for (const Ino ino : inos) {  // a directory knows its name itself, should its entry be lost
    if (paths.contains(ino)) continue;
    const std::string path = DirectoryPath(kv, ino);
    if (path.starts_with("/")) paths[ino] = path;
  }
  return paths;
}

std::string NameInode(const std::map<Ino, std::string>& paths, Ino ino) {
  const auto it = paths.find(ino);
  if (it == paths.end()) return fmt::format("inode {}, which has no name", Raw(ino));
  return fmt::format("{} (inode {})", it->second, Raw(ino));
}

}  // namespace tarn::store
