#include "common/posix/permissions.h"

#include <algorithm>

#include "common/posix/acl.h"

namespace tarn::posix {
namespace {


bool ModeGrants(const Caller& caller, const Attr& attr, uint32_t want) {
  uint32_t bits = attr.mode;
  if (caller.uid == attr.uid) {
    bits >>= 6;
  } else if ((bits >> 3 & 7) != (bits & 7) && InGroup(caller, attr.gid)) {
    bits >>= 3;  // looked up only where it makes a difference: groups can be many
  }
  return (bits & want) == want;
}

}  // namespace

bool InGroup(const Caller& caller, Gid gid) {
  if (caller.gid == gid) return true;
  return caller.groups.has_value() &&
         std::find(caller.groups->begin(), caller.groups->end(), gid) != caller.groups->end();
}

Status CheckPermission(MetaTxn& txn, const Caller& caller, const Inode& inode, uint32_t want) {
  const Attr& attr = inode.attr;
  bool stored = attr.type == FileType::kRegular || attr.type == FileType::kDirectory ||
                attr.type == FileType::kSymlink;
  if (caller.read_only && stored && (want & kMayWrite) != 0) return Errno::kEROFS;
  if (IsRoot(caller)) {
    bool executable = attr.type == FileType::kDirectory || (attr.mode & 0111) != 0;
    return (want & kMayExecute) == 0 || executable ? Ok() : Errno::kEACCES;
  }
  // An ACL can speak only where there are group bits (they are its mask), and never of the owner.
  if (caller.uid != attr.uid && (attr.mode & 0070) != 0) {
    ASSIGN_OR_RETURN(Acl acl, LoadAcl(txn, attr, kAccessAclName));
    if (!acl.entries.empty()) {
      return AclGrants(acl, attr, caller, want) ? Ok() : Errno::kEACCES;
    }
  }
  return ModeGrants(caller, attr, want) ? Ok() : Errno::kEACCES;
}

Status CheckSticky(const Caller& caller, const Attr& dir, const Attr& victim) {
  if ((dir.mode & kSticky) == 0) return Ok();
  if (OwnsOrRoot(caller, victim) || OwnsOrRoot(caller, dir)) return Ok();
  return Errno::kEPERM;
}

Status CheckChangeOwner(const Caller& caller, const Attr& attr, std::optional<Uid> uid,
                        std::optional<Gid> gid) {
  if (uid == UINT32_MAX || gid == UINT32_MAX) return Errno::kEINVAL;
  if (IsRoot(caller)) return Ok();
  bool owner = caller.uid == attr.uid;
  if (uid.has_value() && !(owner && *uid == attr.uid)) return Errno::kEPERM;
  if (gid.has_value() && !(owner && (*gid == attr.gid || InGroup(caller, *gid)))) {
    return Errno::kEPERM;
  }
  return Ok();
}

uint32_t ModeForChange(const Caller& caller, Gid gid, uint32_t mode) {
  mode &= 07777;
  return InGroupOrRoot(caller, gid) ? mode : mode & ~kSetGid;
}

uint32_t ModeWithoutPrivileges(const Caller& caller, const Attr& attr) {
  uint32_t mode = attr.mode & ~kSetUid;
  if ((mode & kGroupExecute) != 0 || !InGroupOrRoot(caller, attr.gid)) mode &= ~kSetGid;
  return mode;
}

Result<bool> DropPrivileges(MetaTxn& txn, const Caller& caller, bool keep_ids, Inode& inode) {
  bool dropped = false;
  if (!keep_ids && (inode.attr.mode & (kSetUid | kSetGid)) != 0) {
    bool members_keep = (inode.attr.mode & (kSetGid | kGroupExecute)) == kSetGid;
    if (members_keep && !caller.groups.has_value() && !InGroupOrRoot(caller, inode.attr.gid)) {
      return Errno::kEPERM;  // provisional
    }
    uint32_t mode = ModeWithoutPrivileges(caller, inode.attr);
    dropped = mode != inode.attr.mode;
    inode.attr.mode = mode;
  }
  if (inode.attr.no_xattrs) return dropped;
  ASSIGN_OR_RETURN(auto capability, txn.GetXattr(inode.attr.ino, kCapabilityName));
  if (capability.has_value()) {
    txn.DeleteXattr(inode.attr.ino, kCapabilityName);
    dropped = true;
  }
  return dropped;
}

}  // namespace tarn::posix
