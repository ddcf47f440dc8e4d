// Who may do what: mode bits, ACLs, ownership, the sticky bit, suid and sgid.
//
// Uid 0 stands for every capability (CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_CHOWN, CAP_FSETID ...).
// Thread safety: pure functions over their arguments and the transaction.
#pragma once

#include <string_view>

#include "common/filesystem.h"
#include "common/posix/meta_txn.h"

namespace tarn::posix {

inline constexpr uint32_t kMayRead = 4, kMayWrite = 2, kMayExecute = 1;
inline constexpr uint32_t kSetUid = 04000, kSetGid = 02000, kSticky = 01000, kGroupExecute = 0010;

inline bool IsRoot(const Caller& caller) {
  return caller.uid == 0;
}
inline bool OwnsOrRoot(const Caller& caller, const Attr& attr) {
  return IsRoot(caller) || caller.uid == attr.uid;
}
// True for the caller's own group and its supplementary ones; groups not read yet count as none.
bool InGroup(const Caller& caller, Gid gid);
inline bool InGroupOrRoot(const Caller& caller, Gid gid) {
  return IsRoot(caller) || InGroup(caller, gid);
}

// May `caller` do all of `want` (kMayRead ...) with the inode? Reads its ACL where that decides.
// Errors: EROFS (a read-only caller would write a file, directory or symlink), EACCES.
Status CheckPermission(MetaTxn& txn, const Caller& caller, const Inode& inode, uint32_t want);

// May `caller` take the name of `victim` out of `dir`, whose permissions it has? Errors: EPERM.
Status CheckSticky(const Caller& caller, const Attr& dir, const Attr& victim);

// chown(2): only root changes the owner, the owner may change the group to one it is in; nobody may
// use -1. Errors: EPERM, EINVAL.
Status CheckChangeOwner(const Caller& caller, const Attr& attr, std::optional<Uid> uid,
                        std::optional<Gid> gid);

// The mode that chmod(2) by `caller` to `mode` gives an inode of group `gid`: S_ISGID goes if
// `caller` is neither in the group nor root.
uint32_t ModeForChange(const Caller& caller, Gid gid, uint32_t mode);

// `attr.mode` without suid and sgid as after a chown by `caller` or a write by one who is not root.
// S_ISGID without group execution (once mandatory locking) stays for members of the group.
uint32_t ModeWithoutPrivileges(const Caller& caller, const Attr& attr);

// The attribute with a file's capabilities.
inline constexpr std::string_view kCapabilityName = "security.capability";

// What a change of contents or owner takes from a file: security.capability always, suid and sgid
// unless `keep_ids` (a writer who is root). Changes `inode` for the caller to put.
// True if anything was taken. Errors: of MetaTxn; EPERM where the caller's groups decide what goes
// and are not known yet.
Result<bool> DropPrivileges(MetaTxn& txn, const Caller& caller, bool keep_ids, Inode& inode);

}  // namespace tarn::posix
