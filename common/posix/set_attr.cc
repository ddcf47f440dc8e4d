#include "common/limits.h"
#include "common/posix/acl.h"
#include "common/posix/permissions.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {
namespace {

bool ChangesOwner(const SetAttrArgs& args) {
  return args.uid.has_value() || args.gid.has_value();
}

bool ChangesTimes(const SetAttrArgs& args) {
  return args.atime_now || args.mtime_now || args.atime.has_value() || args.mtime.has_value();
}

bool ChangesAnything(const SetAttrArgs& args) {
  return args.mode.has_value() || ChangesOwner(args) || args.size.has_value() ||
         ChangesTimes(args) || args.kill_privileges;
}

// What is wrong with a size whoever asks for it.
Status CheckSizeMakesSense(const Inode& inode, const SetAttrArgs& args) {
  if (!args.size.has_value()) return Ok();
  if (inode.attr.type == FileType::kDirectory) return Errno::kEISDIR;
  if (inode.attr.type != FileType::kRegular) return Errno::kEINVAL;
  return Ok();
}

// For a size, or for suid and sgid to go as with a write.
Status CheckMayWrite(MetaTxn& txn, const Caller& caller, const Inode& inode,
                     const SetAttrArgs& args, OpenAccess held) {
  if (args.open.has_value() && CanWrite(held)) return Ok();
  if (args.open.has_value() && args.size.has_value()) return Errno::kEBADF;
  return CheckPermission(txn, caller, inode, kMayWrite);
}

// utimensat(2): both times to now is for the owner and for writers, all else for the owner. A time
// to now along with a size is part of truncation.
Status CheckTimes(MetaTxn& txn, const Caller& caller, const Inode& inode, const SetAttrArgs& args) {
  if (!ChangesTimes(args) || OwnsOrRoot(caller, inode.attr)) return Ok();
  bool explicit_time = args.atime.has_value() || args.mtime.has_value();
  if (!explicit_time && args.size.has_value()) return Ok();
  if (explicit_time || !args.atime_now || !args.mtime_now) return Errno::kEPERM;
  return CheckPermission(txn, caller, inode, kMayWrite);
}

Status CheckAll(MetaTxn& txn, const Caller& caller, const Inode& inode, const SetAttrArgs& args,
                OpenAccess held) {
  RETURN_IF_ERROR(CheckSizeMakesSense(inode, args));
  if (caller.read_only) return Errno::kEROFS;
  bool only_kill = args.kill_privileges && !ChangesOwner(args);
  if (args.size.has_value() || only_kill) {
    RETURN_IF_ERROR(CheckMayWrite(txn, caller, inode, args, held));
  }
  RETURN_IF_ERROR(CheckTimes(txn, caller, inode, args));
  if (args.mode.has_value() && inode.attr.type == FileType::kSymlink) return Errno::kEOPNOTSUPP;
  if (args.size.has_value() && *args.size > kFileMaxBytes) return Errno::kEFBIG;
  RETURN_IF_ERROR(CheckChangeOwner(caller, inode.attr, args.uid, args.gid));
  if (args.mode.has_value() && !OwnsOrRoot(caller, inode.attr)) return Errno::kEPERM;
  return Ok();
}

// chmod(2), of the ACL too.
Status ApplyMode(MetaTxn& txn, const Caller& caller, uint32_t mode, Inode& inode) {
  inode.attr.mode = ModeForChange(caller, inode.attr.gid, mode);
  ASSIGN_OR_RETURN(Acl acl, LoadAcl(txn, inode.attr, kAccessAclName));
  if (acl.entries.empty()) return Ok();
  ChangeMode(acl, mode);
  PutXattr(txn, inode, kAccessAclName, EncodeAcl(acl));
  return Ok();
}

}  // namespace

Result<AttrReply> SetAttr(MetaTxn& txn, const Caller& caller, const SetAttrArgs& args,
                          OpenAccess held) {
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  if (!ChangesAnything(args)) return AttrReply{inode.attr};
  RETURN_IF_ERROR(CheckAll(txn, caller, inode, args, held));

  bool owner = ChangesOwner(args) && inode.attr.type != FileType::kDirectory;
  bool regular = inode.attr.type == FileType::kRegular;
  bool changed =
      ChangesOwner(args) || args.mode.has_value() || args.size.has_value() || ChangesTimes(args);
  if (owner || (regular && (args.size.has_value() || args.kill_privileges))) {
    bool keep_ids = !owner && !args.kill_privileges && IsRoot(caller);
    ASSIGN_OR_RETURN(bool dropped, DropPrivileges(txn, caller, keep_ids, inode));
    changed = changed || dropped;
  }
  if (!changed) return AttrReply{inode.attr};

  if (args.uid.has_value()) inode.attr.uid = *args.uid;
  if (args.gid.has_value()) inode.attr.gid = *args.gid;
  if (args.size.has_value()) {
    RETURN_IF_ERROR(txn.SetSize(inode, *args.size));
    inode.attr.mtime = txn.Now();
  }
  if (args.mode.has_value()) RETURN_IF_ERROR(ApplyMode(txn, caller, *args.mode, inode));
  if (args.atime_now) inode.attr.atime = txn.Now();
  if (args.mtime_now) inode.attr.mtime = txn.Now();
  if (args.atime.has_value()) inode.attr.atime = *args.atime;
  if (args.mtime.has_value()) inode.attr.mtime = *args.mtime;
  MarkChanged(txn, inode);
  txn.PutInode(inode);
  return AttrReply{inode.attr};
}

}  // namespace tarn::posix
