#include "client/cache/cache_txn.h"

#include <algorithm>
#include <cstdlib>

#include "common/log.h"

namespace tarn::cache {
namespace {

// As MetaTxn has it.
constexpr size_t kEntryBytes = 24;

bool HasNoXattrs(const Node* node) {
  return node != nullptr && node->has_attr && node->attr.no_xattrs;
}

[[noreturn]] void Written() {
  LogError("a rule that only reads has written to the cache");
  std::abort();
}

}  // namespace

Result<std::optional<Inode>> CacheTxn::GetInode(Ino ino) {
  const Node* node = table_.Find(ino);
  if (node == nullptr || !node->has_attr) return Errno::kBlocked;
  Inode inode;
  inode.attr = node->attr;
  if (node->target.has_value()) inode.target = *node->target;
  if (node->dir != nullptr) inode.parent = node->dir->parent;
  return std::optional<Inode>(std::move(inode));
}

Result<std::optional<Dentry>> CacheTxn::GetDentry(Ino dir, std::string_view name) {
  const Node* node = table_.Find(dir);
  if (node == nullptr) return Errno::kBlocked;
  const std::optional<Dentry> dentry = table_.FindName(*node, name);
  if (!dentry.has_value()) return Errno::kBlocked;
  if (dentry->ino == kNoIno) return std::optional<Dentry>();
  return dentry;
}

Result<std::vector<NamedDentry>> CacheTxn::ListDentries(Ino dir, uint64_t after,
                                                        size_t max_bytes) {
  const Node* node = table_.Find(dir);
  if (node == nullptr || !table_.CanList(*node)) return Errno::kBlocked;
  std::vector<NamedDentry> list;
  size_t bytes = 0;
  const Names& names = node->dir->names;
  for (auto it = names.lower_bound({after + 1, std::string()}); it != names.end(); ++it) {
    if (it->second.ino == kNoIno) continue;
    const uint64_t cookie = it->first.first;
    if (bytes >= max_bytes && !list.empty() && list.back().cookie != cookie) break;
    bytes += it->first.second.size() + kEntryBytes;
    list.push_back({it->first.second, it->second, cookie});
  }
  return list;
}

Result<bool> CacheTxn::HasDentries(Ino dir) {
  ASSIGN_OR_RETURN(const std::vector<NamedDentry> first, ListDentries(dir, 0, 1));
  return !first.empty();
}

Result<std::optional<std::string>> CacheTxn::GetXattr(Ino ino, std::string_view name) {
  const Node* node = table_.Find(ino);
  if (HasNoXattrs(node)) return std::optional<std::string>();
  if (node == nullptr || node->xattrs == nullptr) return Errno::kBlocked;
  const Xattrs& xattrs = *node->xattrs;
  const auto value = xattrs.values.find(std::string(name));
  if (value != xattrs.values.end()) return value->second;
  const bool absent =
      xattrs.names.has_value() &&
      std::find(xattrs.names->begin(), xattrs.names->end(), name) == xattrs.names->end();
  if (!absent) return Errno::kBlocked;
  return std::optional<std::string>();
}

Result<std::vector<std::string>> CacheTxn::ListXattrs(Ino ino) {
  const Node* node = table_.Find(ino);
  if (HasNoXattrs(node)) return std::vector<std::string>();
  const bool known = node != nullptr && node->xattrs != nullptr && node->xattrs->names.has_value();
  if (!known) return Errno::kBlocked;
  return *node->xattrs->names;
}

void CacheTxn::PutInode(const Inode&) { Written(); }
void CacheTxn::PutDentry(Ino, std::string_view, const Dentry&) { Written(); }
void CacheTxn::DeleteDentry(Ino, std::string_view) { Written(); }
void CacheTxn::PutXattr(Ino, std::string_view, std::string_view) { Written(); }
void CacheTxn::DeleteXattr(Ino, std::string_view) { Written(); }
void CacheTxn::PutOrphan(Ino) { Written(); }
void CacheTxn::DeleteOrphan(Ino) { Written(); }
Status CacheTxn::SetSize(Inode&, uint64_t) { Written(); }
Status CacheTxn::DropRange(Inode&, uint64_t, uint64_t) { Written(); }
Result<Ino> CacheTxn::NewIno() { Written(); }

}  // namespace tarn::cache
