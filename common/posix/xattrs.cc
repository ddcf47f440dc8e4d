// GetXattr, SetXattr, ListXattr, RemoveXattr: who may touch which name, and ACLs, which are more
// than values.
#include "common/limits.h"
#include "common/posix/acl.h"
#include "common/posix/permissions.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {
namespace {

constexpr std::string_view kUserPrefix = "user.";
constexpr std::string_view kTrustedPrefix = "trusted.";
constexpr std::string_view kSecurityPrefix = "security.";
constexpr std::string_view kSystemPrefix = "system.";

bool IsAcl(std::string_view name) {
  return name == kAccessAclName || name == kDefaultAclName;
}

Status CheckXattrName(std::string_view name) {
  if (name.empty() || name.size() > kXattrNameMaxBytes) return Errno::kERANGE;
  if (name.find('\0') != name.npos) return Errno::kEINVAL;
  return Ok();
}

// The prefix of a name that is kept as a plain value. Errors: EOPNOTSUPP, EINVAL (no more than it).
Status CheckNamespace(std::string_view name) {
  for (std::string_view prefix : {kUserPrefix, kTrustedPrefix, kSecurityPrefix}) {
    if (name.starts_with(prefix)) return name == prefix ? Status(Errno::kEINVAL) : Ok();
  }
  return Errno::kEOPNOTSUPP;
}

// Permission to read (`want` kMayRead) or change (kMayWrite) a plain value.
Status CheckXattrPermission(MetaTxn& txn, const Caller& caller, const Inode& inode,
                            std::string_view name, uint32_t want) {
  const bool change = want == kMayWrite;
  const Errno refused = change ? Errno::kEPERM : Errno::kENODATA;
  if (name.starts_with(kSystemPrefix)) return Ok();
  if (name.starts_with(kSecurityPrefix)) {
    return change && !IsRoot(caller) ? Status(Errno::kEPERM) : Ok();
  }
  if (name.starts_with(kTrustedPrefix)) return IsRoot(caller) ? Ok() : Status(refused);
  if (name.starts_with(kUserPrefix)) {
    // On devices and links the mode is about something else than who may store values here.
    bool directory = inode.attr.type == FileType::kDirectory;
    if (!directory && inode.attr.type != FileType::kRegular) return refused;
    bool sticky = directory && (inode.attr.mode & kSticky) != 0;
    if (change && sticky && !OwnsOrRoot(caller, inode.attr)) return Errno::kEPERM;
  }
  return CheckPermission(txn, caller, inode, want);
}

// What all xattrs of an inode take if `name` is to hold `value`. Errors: ENOSPC.
Status CheckRoom(MetaTxn& txn, Ino ino, std::string_view name, std::string_view value) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, txn.ListXattrs(ino));
  size_t list = name.size() + 1;
  size_t total = name.size() + value.size();
  for (const std::string& other : names) {
    if (other == name) continue;
    ASSIGN_OR_RETURN(std::optional<std::string> held, txn.GetXattr(ino, other));
    list += other.size() + 1;
    total += other.size() + (held.has_value() ? held->size() : 0);
  }
  // A list that no listxattr(2) could return must not come about.
  if (list > kXattrListMaxBytes || total > kXattrInodeMaxBytes) return Errno::kENOSPC;
  return Ok();
}

void PutChanged(MetaTxn& txn, Inode& inode) {
  MarkChanged(txn, inode);
  txn.PutInode(inode);
}

// Sets an ACL or, given no entries, removes it; the mode follows an access ACL that is set.
Status SetAcl(MetaTxn& txn, const Caller& caller, Inode& inode, std::string_view name,
              const Acl& acl) {
  const bool none = acl.entries.empty();
  if (inode.attr.type == FileType::kSymlink) return Errno::kEOPNOTSUPP;
  if (name == kDefaultAclName && inode.attr.type != FileType::kDirectory) {
    return none ? Ok() : Status(Errno::kEACCES);
  }
  if (!OwnsOrRoot(caller, inode.attr)) return Errno::kEPERM;
  bool store = !none;
  if (!none) {
    RETURN_IF_ERROR(CheckAcl(acl));
    if (name == kAccessAclName) {
      uint32_t mode = ModeWithAcl(acl, inode.attr.mode);
      inode.attr.mode = ModeForChange(caller, inode.attr.gid, mode);
      store = !IsMinimal(acl);
    }
  }
  if (store) {
    std::string value = EncodeAcl(acl);
    RETURN_IF_ERROR(CheckRoom(txn, inode.attr.ino, name, value));
    PutXattr(txn, inode, name, value);
  } else {
    txn.DeleteXattr(inode.attr.ino, name);
  }
  PutChanged(txn, inode);
  return Ok();
}

}  // namespace

Result<GetXattrReply> GetXattr(MetaTxn& txn, const Caller& caller, const GetXattrArgs& args) {
  RETURN_IF_ERROR(CheckXattrName(args.name));
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  if (IsAcl(args.name)) {
    if (inode.attr.type == FileType::kSymlink) return Errno::kEOPNOTSUPP;
  } else {
    RETURN_IF_ERROR(CheckXattrPermission(txn, caller, inode, args.name, kMayRead));
    RETURN_IF_ERROR(CheckNamespace(args.name));
  }
  ASSIGN_OR_RETURN(std::optional<std::string> value, txn.GetXattr(inode.attr.ino, args.name));
  if (!value.has_value()) return Errno::kENODATA;
  return GetXattrReply{*std::move(value)};
}

Status SetXattr(MetaTxn& txn, const Caller& caller, const SetXattrArgs& args) {
  RETURN_IF_ERROR(CheckXattrName(args.name));
  if (args.value.size() > kXattrValueMaxBytes) return Errno::kE2BIG;
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  if (caller.read_only) return Errno::kEROFS;
  if (IsAcl(args.name)) {  // whether it is there already does not matter: as Linux
    ASSIGN_OR_RETURN(Acl acl, ParseAcl(args.value));
    return SetAcl(txn, caller, inode, args.name, acl);
  }
  RETURN_IF_ERROR(CheckXattrPermission(txn, caller, inode, args.name, kMayWrite));
  RETURN_IF_ERROR(CheckNamespace(args.name));
  if (args.mode != XattrMode::kSet) {
    ASSIGN_OR_RETURN(std::optional<std::string> held, txn.GetXattr(inode.attr.ino, args.name));
    if (args.mode == XattrMode::kCreate && held.has_value()) return Errno::kEEXIST;
    if (args.mode == XattrMode::kReplace && !held.has_value()) return Errno::kENODATA;
  }
  RETURN_IF_ERROR(CheckRoom(txn, inode.attr.ino, args.name, args.value));
  PutXattr(txn, inode, args.name, args.value);
  PutChanged(txn, inode);
  return Ok();
}

Result<ListXattrReply> ListXattr(MetaTxn& txn, const Caller& caller, const ListXattrArgs& args) {
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  ASSIGN_OR_RETURN(std::vector<std::string> names, txn.ListXattrs(inode.attr.ino));
  if (!IsRoot(caller)) {
    std::erase_if(names, [](const std::string& name) { return name.starts_with(kTrustedPrefix); });
  }
  return ListXattrReply{std::move(names)};
}

Status RemoveXattr(MetaTxn& txn, const Caller& caller, const RemoveXattrArgs& args) {
  RETURN_IF_ERROR(CheckXattrName(args.name));
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  if (caller.read_only) return Errno::kEROFS;
  if (IsAcl(args.name)) return SetAcl(txn, caller, inode, args.name, Acl{});
  RETURN_IF_ERROR(CheckXattrPermission(txn, caller, inode, args.name, kMayWrite));
  RETURN_IF_ERROR(CheckNamespace(args.name));
  ASSIGN_OR_RETURN(std::optional<std::string> held, txn.GetXattr(inode.attr.ino, args.name));
  if (!held.has_value()) return Errno::kENODATA;
  txn.DeleteXattr(inode.attr.ino, args.name);
  PutChanged(txn, inode);
  return Ok();
}

}  // namespace tarn::posix
