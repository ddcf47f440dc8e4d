// Table's other side: what it learns.
#include <algorithm>
#include <utility>

#include "client/cache/table.h"

namespace tarn::cache {
namespace {

constexpr size_t kMaxNames = 65'536;     // beyond it a directory is not worth keeping whole
constexpr size_t kMaxXattrs = 64;        // of an inode, with those that are absent
constexpr size_t kMaxXattrBytes = 4096;  // of a value
constexpr size_t kXattrBytes = 128;      // what one takes, about, without name and value

size_t BytesOf(const Directory& dir) {
  size_t bytes = 0;
  for (const auto& [key, dentry] : dir.names) bytes += BytesOfName(key.second);
  return bytes;
}

size_t BytesOf(const Xattrs& xattrs) {
  size_t bytes = 0;
  for (const auto& [name, value] : xattrs.values) {
    bytes += kXattrBytes + name.size() + (value.has_value() ? value->size() : 0);
  }
  if (!xattrs.names.has_value()) return bytes;
  for (const std::string& name : *xattrs.names) bytes += BytesOfName(name);
  return bytes;
}

}  // namespace

void Table::Learn(Handle handle, const Attr& attr) {
  Node* node = MakeNode(handle);
  // Two replies may come in either order; the version says which is the newer.
  if (node->has_attr && node->attr.version > attr.version) return;
  if (node->attr.version != attr.version) prefetched_.Drop(attr.ino);
  node->attr = attr;
  node->has_attr = true;
  if (attr.type == FileType::kDirectory && node->dir == nullptr) {
    node->dir = std::make_unique<Directory>();
  }
}

void Table::Learn(const Attr& attr) {
  const auto it = nodes_.find(attr.ino);
  if (it != nodes_.end()) Learn(it->second->handle, attr);
}

void Table::Replace(const Attr& attr) {
  const auto it = nodes_.find(attr.ino);
  if (it == nodes_.end() || !it->second->has_attr) return;
  it->second->attr = attr;
  prefetched_.Drop(attr.ino);
}

void Table::LearnXattr(Ino ino, const std::string& name, const std::optional<std::string>& value) {
  Node* node = NodeOf(ino);
  if (node == nullptr || !node->has_attr) return;
  const size_t value_bytes = value.has_value() ? value->size() : 0;
  if (value_bytes > kMaxXattrBytes) return;
  if (node->xattrs == nullptr) node->xattrs = std::make_unique<Xattrs>();
  auto& values = node->xattrs->values;
  if (values.size() >= kMaxXattrs || !values.try_emplace(name, value).second) return;
  Charge(*node, kXattrBytes + name.size() + value_bytes);
}

void Table::LearnXattrNames(Ino ino, const std::vector<std::string>& names) {
  Node* node = NodeOf(ino);
  if (node == nullptr || !node->has_attr || names.size() > kMaxXattrs) return;
  if (node->xattrs == nullptr) node->xattrs = std::make_unique<Xattrs>();
  if (node->xattrs->names.has_value()) return;
  node->xattrs->names = names;
  for (const std::string& name : names) Charge(*node, BytesOfName(name));
}

void Table::DropXattrs(Node& node) {
  if (node.xattrs == nullptr) return;
  Discharge(node, BytesOf(*node.xattrs));
  node.xattrs.reset();
}

void Table::LearnTarget(Ino ino, const std::string& target) {
  Node* node = NodeOf(ino);
  if (node == nullptr || node->target.has_value()) return;  // it never changes
  node->target = target;
  Charge(*node, target.size());
}

void Table::LearnName(Ino ino, const std::string& name, const Dentry& dentry) {
  Directory* dir = DirectoryOf(ino);
  if (dir == nullptr) return;
  Node& node = *NodeOf(ino);
  if (dir->names.size() >= kMaxNames) SetDirectory(node, {.parent = dir->parent});
  dir->unknown.erase(name);
  if (dir->names.insert_or_assign(KeyOf(name), dentry).second) Charge(node, BytesOfName(name));
}

void Table::SetDirectory(Node& node, Directory dir) {
  Discharge(node, BytesOf(*node.dir));
  *node.dir = std::move(dir);
  Charge(node, BytesOf(*node.dir));
}

void Table::LearnEmpty(Ino ino, Ino parent) {
  Node* node = NodeOf(ino);
  if (node == nullptr || node->dir == nullptr) return;
  SetDirectory(*node, {.complete = true, .parent = parent});
}

void Table::LearnListing(const ReadDirArgs& args, const ReadDirReply& reply) {
  Directory* dir = DirectoryOf(args.dir.ino);
  if (dir == nullptr) return;
  const bool from_start = args.cookie == 0;
  if (from_start && !(dir->complete && dir->unknown.empty())) {
    dir->filling = true;
    dir->filled_to = 0;
  }
  const bool goes_on = dir->filling && args.cookie == dir->filled_to;
  for (const DirEntry& entry : reply.entries) {
    if (entry.name == "." || entry.name == "..") {
      if (entry.name == "..") dir->parent = entry.ino;
    } else {
      LearnName(args.dir.ino, entry.name, {entry.ino, entry.type});
      // With `plus`, what has no attributes is not to be had this way.
      if (args.plus) {
        dir->bare.erase(entry.ino);
      } else if (!HasAttr(entry.ino)) {
        dir->bare.insert(entry.ino);
      }
    }
  }
  if (!goes_on || dir->names.size() >= kMaxNames) {
    dir->filling = false;
    return;
  }
  if (!reply.entries.empty()) dir->filled_to = reply.entries.back().cookie;
  if (reply.end) {
    dir->filling = false;
    dir->complete = true;
    dir->unknown.clear();
  }
}

void Table::LearnContents(const Contents& contents) {
  const auto it = nodes_.find(contents.ino);
  if (it == nodes_.end() || !it->second->has_attr) return;
  prefetched_.Put(contents.ino, contents.offset, contents.data);
}

void Table::LearnFigures(const StatFsReply& figures, int64_t until_nanos) {
  figures_ = figures;
  figures_until_nanos_ = until_nanos;
}

std::optional<StatFsReply> Table::Figures(int64_t now_nanos) const {
  return now_nanos < figures_until_nanos_ ? figures_ : std::nullopt;
}

}  // namespace tarn::cache
