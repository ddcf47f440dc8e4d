// The reference's names and attributes.
#include "tests/support/reference_fs.h"

#include <sys/stat.h>

#include <algorithm>
#include <deque>

#include "absl/strings/str_split.h"

namespace tarn::testing {
namespace {

constexpr uint32_t kR = 4, kW = 2, kX = 1;

Attr AttrOf(const RefNode& node) {
  Attr attr;
  attr.ino = Ino{node.number};
  attr.type = node.type;
  attr.mode = node.mode;
  attr.nlink = node.nlink;
  attr.uid = node.uid;
  attr.gid = node.gid;
  attr.size = node.type == FileType::kSymlink ? node.target.size() : node.data.size();
  return attr;
}

bool IsAncestor(const RefPtr& ancestor, RefPtr dir) {
  while (dir != nullptr && dir != ancestor) {
    const RefPtr parent = dir->parent.lock();
    dir = parent == dir ? nullptr : parent;
  }
  return dir != nullptr;
}

void Attach(const RefPlace& at, const RefPtr& node) {
  at.dir->names[at.name] = node;
  if (node->is_dir()) {
    node->parent = at.dir;
    ++at.dir->nlink;
  }
}

void Detach(const RefPlace& at) {
  if (at.node->is_dir()) --at.dir->nlink;
  at.dir->names.erase(at.name);
}

}  // namespace

ReferenceFs::ReferenceFs() : root_(NewNode(FileType::kDirectory)) {
  root_->mode = 0755;
  root_->parent = root_;
}

RefPtr ReferenceFs::NewNode(FileType type) {
  auto node = std::make_shared<RefNode>();
  node->type = type;
  node->number = next_number_++;
  node->nlink = type == FileType::kDirectory ? 2 : 1;
  return node;
}

std::unique_ptr<Process> ReferenceFs::Start(const User& user) {
  return std::make_unique<ReferenceProcess>(*this, user);
}

bool ReferenceProcess::InGroup(Gid gid) const {
  return user_.gid == gid ||
         std::find(user_.groups.begin(), user_.groups.end(), gid) != user_.groups.end();
}

bool ReferenceProcess::May(const RefNode& node, uint32_t mask) const {
  if (IsRoot()) return node.is_dir() || (mask & kX) == 0 || (node.mode & 0111) != 0;
  const int shift = node.uid == user_.uid ? 6 : InGroup(node.gid) ? 3 : 0;
  return (mask & ~(node.mode >> shift)) == 0;
}

Status ReferenceProcess::MayDelete(const RefNode& dir, const RefNode& victim, bool as_dir) const {
  if (!May(dir, kW | kX)) return Errno::kEACCES;
  const bool sticky = (dir.mode & S_ISVTX) != 0;
  if (sticky && !IsRoot() && victim.uid != user_.uid && dir.uid != user_.uid) return Errno::kEPERM;
  if (as_dir && !victim.is_dir()) return Errno::kENOTDIR;
  if (!as_dir && victim.is_dir()) return Errno::kEISDIR;
  return Ok();
}

Result<RefPlace> ReferenceProcess::Locate(const std::string& path, bool follow) const {
  std::deque<std::string> rest = absl::StrSplit(path, '/', absl::SkipEmpty());
  RefPtr dir = fs_.root_;
  if (rest.empty()) return RefPlace{dir, ".", dir};
  for (int links = 0;;) {
    if (!dir->is_dir()) return Errno::kENOTDIR;
    if (!May(*dir, kX)) return Errno::kEACCES;
    const std::string name = rest.front();
    const bool last = rest.size() == 1;
    RefPtr node;
    if (name == "..") {
      node = dir->parent.lock();
    } else if (const auto it = dir->names.find(name); it != dir->names.end()) {
      node = it->second;
    }
    if (node == nullptr && !last) return Errno::kENOENT;
    if (node != nullptr && node->type == FileType::kSymlink && (!last || follow)) {
      constexpr int kLinksMax = 40;
      if (++links > kLinksMax) return Errno::kELOOP;
      rest.pop_front();
      const std::deque<std::string> target = absl::StrSplit(node->target, '/', absl::SkipEmpty());
      rest.insert(rest.begin(), target.begin(), target.end());
      continue;
    }
    if (last) return RefPlace{dir, name, node};
    dir = node;
    rest.pop_front();
  }
}

Result<RefPtr> ReferenceProcess::Find(const std::string& path, bool follow) const {
  ASSIGN_OR_RETURN(const RefPlace at, Locate(path, follow));
  if (at.node == nullptr) return Errno::kENOENT;
  return at.node;
}

Result<RefPtr> ReferenceProcess::Make(const RefPlace& at, FileType type, uint32_t mode) {
  if (at.node != nullptr) return Errno::kEEXIST;
  if (!May(*at.dir, kW | kX)) return Errno::kEACCES;
  const RefPtr node = fs_.NewNode(type);
  node->mode = mode & ~umask_;
  node->uid = user_.uid;
  node->gid = user_.gid;
  if ((at.dir->mode & S_ISGID) != 0) {
    node->gid = at.dir->gid;
    const bool both = (node->mode & S_ISGID) != 0 && (node->mode & S_IXGRP) != 0;
    if (both && !InGroup(node->gid) && !IsRoot()) node->mode &= ~S_ISGID;
    if (type == FileType::kDirectory) node->mode |= S_ISGID;
  }
  Attach(at, node);
  return node;
}

Status ReferenceProcess::MakeDir(const std::string& path, uint32_t mode) {
  ASSIGN_OR_RETURN(const RefPlace at, Locate(path, false));
  RETURN_IF_ERROR(Make(at, FileType::kDirectory, mode));
  return Ok();
}

Status ReferenceProcess::MakeNode(const std::string& path, FileType type, uint32_t mode, uint64_t) {
  ASSIGN_OR_RETURN(const RefPlace at, Locate(path, false));
  RETURN_IF_ERROR(Make(at, type, mode));
  return Ok();
}

Status ReferenceProcess::SymLink(const std::string& target, const std::string& path) {
  ASSIGN_OR_RETURN(const RefPlace at, Locate(path, false));
  ASSIGN_OR_RETURN(const RefPtr node, Make(at, FileType::kSymlink, 0777));
  node->mode = 0777;
  node->target = target;
  return Ok();
}

Status ReferenceProcess::Link(const std::string& from, const std::string& to) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(from, false));
  ASSIGN_OR_RETURN(const RefPlace at, Locate(to, false));
  if (at.node != nullptr) return Errno::kEEXIST;
  if (!May(*at.dir, kW | kX)) return Errno::kEACCES;
  if (node->is_dir()) return Errno::kEPERM;
  ++node->nlink;
  Attach(at, node);
  return Ok();
}

Status ReferenceProcess::Unlink(const std::string& path) {
  ASSIGN_OR_RETURN(const RefPlace at, Locate(path, false));
  if (at.node == nullptr) return Errno::kENOENT;
  RETURN_IF_ERROR(MayDelete(*at.dir, *at.node, false));
  Detach(at);
  --at.node->nlink;
  return Ok();
}

Status ReferenceProcess::RemoveDir(const std::string& path) {
  ASSIGN_OR_RETURN(const RefPlace at, Locate(path, false));
  if (at.node == nullptr) return Errno::kENOENT;
  RETURN_IF_ERROR(MayDelete(*at.dir, *at.node, true));
  if (!at.node->names.empty()) return Errno::kENOTEMPTY;
  Detach(at);
  at.node->nlink = 0;
  return Ok();
}

// In the order of Linux: existence, loops, identity, then permissions, then types.
Status ReferenceProcess::MayRename(const RefPlace& from, const RefPlace& to,
                                   RenameMode mode) const {
  const bool exchange = mode == RenameMode::kExchange;
  if (from.node == nullptr) return Errno::kENOENT;
  if (mode == RenameMode::kNoReplace && to.node != nullptr) return Errno::kEEXIST;
  if (exchange && to.node == nullptr) return Errno::kENOENT;
  const bool moves_dir = from.node->is_dir();
  if (moves_dir && IsAncestor(from.node, to.dir)) return Errno::kEINVAL;
  if (to.node != nullptr && to.node->is_dir() && IsAncestor(to.node, from.dir)) {
    return exchange ? Errno::kEINVAL : Errno::kENOTEMPTY;
  }
  if (from.node == to.node) return Ok();
  RETURN_IF_ERROR(MayDelete(*from.dir, *from.node, moves_dir));
  if (to.node == nullptr) {
    if (!May(*to.dir, kW | kX)) return Errno::kEACCES;
  } else {
    RETURN_IF_ERROR(MayDelete(*to.dir, *to.node, exchange ? to.node->is_dir() : moves_dir));
  }
  if (from.dir != to.dir) {
    if (moves_dir && !May(*from.node, kW)) return Errno::kEACCES;
    if (exchange && to.node->is_dir() && !May(*to.node, kW)) return Errno::kEACCES;
  }
  if (!exchange && to.node != nullptr && !to.node->names.empty()) return Errno::kENOTEMPTY;
  return Ok();
}

Status ReferenceProcess::Rename(const std::string& from_path, const std::string& to_path,
                                RenameMode mode) {
  ASSIGN_OR_RETURN(const RefPlace from, Locate(from_path, false));
  ASSIGN_OR_RETURN(const RefPlace to, Locate(to_path, false));
  RETURN_IF_ERROR(MayRename(from, to, mode));
  if (from.node == to.node) return Ok();
  Detach(from);
  if (to.node != nullptr) Detach(to);
  Attach({to.dir, to.name, {}}, from.node);
  if (mode == RenameMode::kExchange) {
    Attach({from.dir, from.name, {}}, to.node);
  } else if (to.node != nullptr) {
    to.node->nlink = to.node->is_dir() ? 0 : to.node->nlink - 1;
  }
  return Ok();
}

Result<Attr> ReferenceProcess::Stat(const std::string& path) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, true));
  return AttrOf(*node);
}

Result<Attr> ReferenceProcess::LStat(const std::string& path) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, false));
  return AttrOf(*node);
}

Result<Attr> ReferenceProcess::FStat(Fd fd) {
  const auto it = files_.find(static_cast<int>(fd));
  if (it == files_.end()) return Errno::kEBADF;
  return AttrOf(*it->second.node);
}

Result<std::string> ReferenceProcess::ReadLink(const std::string& path) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, false));
  if (node->type != FileType::kSymlink) return Errno::kEINVAL;
  return node->target;
}

Status ReferenceProcess::Chmod(const std::string& path, uint32_t mode) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, true));
  if (!Owns(*node)) return Errno::kEPERM;
  node->mode = mode;
  if (!IsRoot() && !InGroup(node->gid)) node->mode &= ~S_ISGID;
  return Ok();
}

Status ReferenceProcess::LChown(const std::string& path, std::optional<Uid> uid,
                                std::optional<Gid> gid) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, false));
  const bool own = node->uid == user_.uid;
  if (uid && !IsRoot() && !(own && *uid == node->uid)) return Errno::kEPERM;
  if (gid && !IsRoot() && !(own && (InGroup(*gid) || *gid == node->gid))) return Errno::kEPERM;
  node->uid = uid.value_or(node->uid);
  node->gid = gid.value_or(node->gid);
  if (!node->is_dir()) {
    node->mode &= ~S_ISUID;
    if ((node->mode & S_IXGRP) != 0) node->mode &= ~S_ISGID;
  }
  return Ok();
}

Status ReferenceProcess::SetTimes(const std::string& path, TimeChange atime, TimeChange mtime) {
  using Kind = TimeChange::Kind;
  // Linux does not even look at the path then.
  if (atime.kind == Kind::kOmit && mtime.kind == Kind::kOmit) return Ok();
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, true));
  if (Owns(*node)) return Ok();
  if (atime.kind != Kind::kNow || mtime.kind != Kind::kNow) return Errno::kEPERM;
  if (!May(*node, kW)) return Errno::kEACCES;
  return Ok();
}

Status ReferenceProcess::Access(const std::string& path, uint32_t mask) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, true));
  if (!May(*node, mask)) return Errno::kEACCES;
  return Ok();
}

// Of the user namespace, the only one that the reference has.
Status ReferenceProcess::MayTouchXattr(const RefNode& node, bool write) const {
  if (!node.is_dir() && node.type != FileType::kRegular) {
    return write ? Errno::kEPERM : Errno::kENODATA;
  }
  if (node.is_dir() && (node.mode & S_ISVTX) != 0 && write && !Owns(node)) return Errno::kEPERM;
  if (!May(node, write ? kW : kR)) return Errno::kEACCES;
  return Ok();
}

Result<std::string> ReferenceProcess::GetXattr(const std::string& path, const std::string& name) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, false));
  RETURN_IF_ERROR(MayTouchXattr(*node, false));
  const auto it = node->xattrs.find(name);
  if (it == node->xattrs.end()) return Errno::kENODATA;
  return it->second;
}

Status ReferenceProcess::SetXattr(const std::string& path, const std::string& name,
                                  const std::string& value, XattrMode mode) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, false));
  RETURN_IF_ERROR(MayTouchXattr(*node, true));
  const bool there = node->xattrs.contains(name);
  if (mode == XattrMode::kCreate && there) return Errno::kEEXIST;
  if (mode == XattrMode::kReplace && !there) return Errno::kENODATA;
  node->xattrs[name] = value;
  return Ok();
}

Result<std::vector<std::string>> ReferenceProcess::ListXattr(const std::string& path) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, false));
  std::vector<std::string> names;
  for (const auto& [name, value] : node->xattrs) names.push_back(name);
  return names;
}

Status ReferenceProcess::RemoveXattr(const std::string& path, const std::string& name) {
  ASSIGN_OR_RETURN(const RefPtr node, Find(path, false));
  RETURN_IF_ERROR(MayTouchXattr(*node, true));
  if (node->xattrs.erase(name) == 0) return Errno::kENODATA;
  return Ok();
}

}  // namespace tarn::testing
