#include "tests/support/mem_meta_txn.h"

#include <algorithm>

namespace tarn::testing {
namespace {

uint64_t RoundUp(uint64_t n, uint64_t unit) {
  return (n + unit - 1) / unit * unit;
}

std::string Say(Ino ino, const std::string& what) {
  return "inode " + std::to_string(Raw(ino)) + ": " + what;
}

}  // namespace

MemMeta::MemMeta(uint64_t block_bytes) : block_bytes(block_bytes) {
  Inode root;
  root.attr.ino = kRootIno;
  root.attr.type = FileType::kDirectory;
  root.attr.mode = 0755;
  root.attr.nlink = 2;
  root.attr.size = root.attr.allocated = 4096;
  root.parent = kRootIno;
  inodes[kRootIno] = root;
}

std::vector<std::string> MemMeta::Check() const {
  std::vector<std::string> faults;
  std::map<Ino, uint32_t> links;
  std::map<Ino, uint32_t> subdirectories;
  for (const auto& [place, dentry] : dentries) {
    const auto& [dir, hash, name] = place;
    auto found = inodes.find(dir);
    if (found == inodes.end() || found->second.attr.type != FileType::kDirectory ||
        found->second.attr.nlink == 0) {
      faults.push_back(Say(dir, "a name in no live directory: " + name));
    }
    found = inodes.find(dentry.ino);
    if (found == inodes.end()) {
      faults.push_back(Say(dir, "a name of no inode: " + name));
      continue;
    }
    const Inode& child = found->second;
    ++links[dentry.ino];
    if (child.attr.type != dentry.type) faults.push_back(Say(dentry.ino, "type in its name"));
    if (dentry.type != FileType::kDirectory) continue;
    ++subdirectories[dir];
    if (child.parent != dir || child.name != name) {
      faults.push_back(Say(dentry.ino, "parent or name"));
    }
  }
  for (const auto& [ino, inode] : inodes) {
    uint32_t expected = links[ino];
    if (inode.attr.type == FileType::kDirectory && (expected > 0 || ino == kRootIno)) {
      expected = 2 + subdirectories[ino];
    }
    if (inode.attr.nlink != expected) faults.push_back(Say(ino, "link count"));
    if ((inode.attr.nlink == 0) != orphans.contains(ino)) faults.push_back(Say(ino, "orphan"));
    if (inode.attr.ino != ino) faults.push_back(Say(ino, "number"));
  }
  for (const auto& [key, value] : xattrs) {
    if (!inodes.contains(key.first)) faults.push_back(Say(key.first, "xattr of no inode"));
  }
  return faults;
}

MemMetaTxn::~MemMetaTxn() {
  for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) (*undo)();
}

template <class Map>
void MemMetaTxn::Assign(Map& map, const typename Map::key_type& key,
                        std::optional<typename Map::mapped_type> value) {
  std::optional<typename Map::mapped_type> before;
  if (auto found = map.find(key); found != map.end()) before = found->second;
  auto set = [&map, key](const std::optional<typename Map::mapped_type>& v) {
    if (v.has_value()) {
      map.insert_or_assign(key, *v);
    } else {
      map.erase(key);
    }
  };
  set(value);
  undo_.push_back([set, before] { set(before); });
}

Status MemMetaTxn::Read(Ino ino) {
  if (reads_until_block_ >= 0 && reads_until_block_-- == 0) return Errno::kBlocked;
  if (blocked_.erase(ino) > 0) return Errno::kBlocked;
  return Ok();
}

MemMeta::Place MemMetaTxn::PlaceOf(Ino dir, std::string_view name) const {
  return {dir, NameHash(meta_.hash_key, name), std::string(name)};
}

Result<std::optional<Inode>> MemMetaTxn::GetInode(Ino ino) {
  RETURN_IF_ERROR(Read(ino));
  auto found = meta_.inodes.find(ino);
  if (found == meta_.inodes.end()) return std::optional<Inode>();
  return std::optional<Inode>(found->second);
}

Result<std::optional<Dentry>> MemMetaTxn::GetDentry(Ino dir, std::string_view name) {
  RETURN_IF_ERROR(Read(dir));
  auto found = meta_.dentries.find(PlaceOf(dir, name));
  if (found == meta_.dentries.end()) return std::optional<Dentry>();
  return std::optional<Dentry>(found->second);
}

Result<std::vector<NamedDentry>> MemMetaTxn::ListDentries(Ino dir, uint64_t after,
                                                          size_t max_bytes) {
  RETURN_IF_ERROR(Read(dir));
  std::vector<NamedDentry> out;
  size_t bytes = 0;
  for (auto it = meta_.dentries.lower_bound({dir, after + 1, ""}); it != meta_.dentries.end();
       ++it) {
    const auto& [in, cookie, name] = it->first;
    if (in != dir) break;
    bytes += name.size() + 24;
    if (!out.empty() && bytes > max_bytes && cookie != out.back().cookie) break;
    out.push_back({name, it->second, cookie});
  }
  return out;
}

Result<bool> MemMetaTxn::HasDentries(Ino dir) {
  RETURN_IF_ERROR(Read(dir));
  auto found = meta_.dentries.lower_bound({dir, 0, ""});
  return found != meta_.dentries.end() && std::get<0>(found->first) == dir;
}

Result<std::optional<std::string>> MemMetaTxn::GetXattr(Ino ino, std::string_view name) {
  RETURN_IF_ERROR(Read(ino));
  auto found = meta_.xattrs.find({ino, std::string(name)});
  if (found == meta_.xattrs.end()) return std::optional<std::string>();
  return std::optional<std::string>(found->second);
}

Result<std::vector<std::string>> MemMetaTxn::ListXattrs(Ino ino) {
  RETURN_IF_ERROR(Read(ino));
  std::vector<std::string> names;
  for (auto it = meta_.xattrs.lower_bound({ino, ""});
       it != meta_.xattrs.end() && it->first.first == ino; ++it) {
    names.push_back(it->first.second);
  }
  return names;
}

void MemMetaTxn::PutInode(const Inode& inode) {
  Assign(meta_.inodes, inode.attr.ino, inode);
}

void MemMetaTxn::PutDentry(Ino dir, std::string_view name, const Dentry& dentry) {
  Assign(meta_.dentries, PlaceOf(dir, name), dentry);
}

void MemMetaTxn::DeleteDentry(Ino dir, std::string_view name) {
  Assign(meta_.dentries, PlaceOf(dir, name), std::nullopt);
}

void MemMetaTxn::PutXattr(Ino ino, std::string_view name, std::string_view value) {
  Assign(meta_.xattrs, {ino, std::string(name)}, std::string(value));
}

void MemMetaTxn::DeleteXattr(Ino ino, std::string_view name) {
  Assign(meta_.xattrs, {ino, std::string(name)}, std::nullopt);
}

void MemMetaTxn::PutOrphan(Ino ino) {
  if (meta_.orphans.insert(ino).second) undo_.push_back([this, ino] { meta_.orphans.erase(ino); });
}

void MemMetaTxn::DeleteOrphan(Ino ino) {
  if (meta_.orphans.erase(ino) > 0) undo_.push_back([this, ino] { meta_.orphans.insert(ino); });
}

Status MemMetaTxn::SetSize(Inode& inode, uint64_t size) {
  RETURN_IF_ERROR(Read(inode.attr.ino));
  inode.attr.allocated = std::min(inode.attr.allocated, RoundUp(size, meta_.block_bytes));
  inode.attr.size = size;
  if (size == 0) inode.data = DataId{};
  return Ok();
}

Status MemMetaTxn::DropRange(Inode& inode, uint64_t offset, uint64_t length) {
  RETURN_IF_ERROR(Read(inode.attr.ino));
  uint64_t first = RoundUp(offset, meta_.block_bytes);
  uint64_t end = std::min(offset + length, RoundUp(inode.attr.size, meta_.block_bytes));
  end = end / meta_.block_bytes * meta_.block_bytes;
  if (end > first) inode.attr.allocated -= std::min(inode.attr.allocated, end - first);
  return Ok();
}

Result<Ino> MemMetaTxn::NewIno() {
  uint64_t ino = meta_.next_ino++;
  undo_.push_back([this] { --meta_.next_ino; });
  return Ino{ino};
}

}  // namespace tarn::testing
