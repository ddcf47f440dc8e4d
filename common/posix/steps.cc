#include "common/posix/steps.h"

#include <algorithm>

#include "common/posix/acl.h"
#include "common/posix/names.h"
#include "common/posix/permissions.h"
#include "common/posix/rules.h"

namespace tarn::posix {

Result<Inode> GetInode(MetaTxn& txn, Handle handle) {
  ASSIGN_OR_RETURN(std::optional<Inode> inode, txn.GetInode(handle.ino));
  if (!inode.has_value()) return Errno::kESTALE;
  return *std::move(inode);
}

Result<Inode> GetNamedInode(MetaTxn& txn, Ino ino) {
  ASSIGN_OR_RETURN(std::optional<Inode> inode, txn.GetInode(ino));
  if (!inode.has_value()) {
    return Error(Errno::kEIO, "a name leads to missing inode " + std::to_string(Raw(ino)));
  }
  return *std::move(inode);
}

Result<Inode> GetSearchableDir(MetaTxn& txn, const Caller& caller, Handle handle) {
  ASSIGN_OR_RETURN(Inode dir, GetInode(txn, handle));
  if (dir.attr.type != FileType::kDirectory) return Errno::kENOTDIR;
  RETURN_IF_ERROR(CheckPermission(txn, caller, dir, kMayExecute));
  return dir;
}

void MarkChanged(MetaTxn& txn, Inode& inode) {
  inode.attr.ctime = txn.Now();
  ++inode.attr.version;
}

void MarkModified(MetaTxn& txn, Inode& inode) {
  inode.attr.mtime = txn.Now();
  MarkChanged(txn, inode);
}

void PutXattr(MetaTxn& txn, Inode& inode, std::string_view name, std::string_view value) {
  inode.attr.no_xattrs = false;
  txn.PutXattr(inode.attr.ino, name, value);
}

EntryReply MakeEntry(const Inode& inode) {
  return {Handle{inode.attr.ino}, inode.attr};
}

Status CheckMake(MetaTxn& txn, const Caller& caller, const Inode& dir) {
  if (caller.read_only) return Errno::kEROFS;
  if (dir.attr.nlink == 0) return Errno::kENOENT;
  return CheckPermission(txn, caller, dir, kMayWrite | kMayExecute);
}

Result<Inode> GetDirForNew(MetaTxn& txn, const Caller& caller, Handle handle,
                           std::string_view name) {
  ASSIGN_OR_RETURN(Inode dir, GetSearchableDir(txn, caller, handle));
  if (IsDots(name)) return Errno::kEEXIST;
  RETURN_IF_ERROR(CheckName(name));
  ASSIGN_OR_RETURN(std::optional<Dentry> existing, txn.GetDentry(dir.attr.ino, name));
  if (existing.has_value()) return Errno::kEEXIST;
  RETURN_IF_ERROR(CheckMake(txn, caller, dir));
  return dir;
}

Result<Dentry> FindName(MetaTxn& txn, const Inode& dir, std::string_view name) {
  RETURN_IF_ERROR(CheckName(name));
  ASSIGN_OR_RETURN(std::optional<Dentry> dentry, txn.GetDentry(dir.attr.ino, name));
  if (!dentry.has_value()) return Errno::kENOENT;
  return *dentry;
}

Status CheckRemove(MetaTxn& txn, const Caller& caller, const Inode& dir, const Inode& victim,
                   bool as_directory) {
  RETURN_IF_ERROR(CheckPermission(txn, caller, dir, kMayWrite | kMayExecute));
  RETURN_IF_ERROR(CheckSticky(caller, dir.attr, victim.attr));
  bool is_directory = victim.attr.type == FileType::kDirectory;
  if (as_directory && !is_directory) return Errno::kENOTDIR;
  if (!as_directory && is_directory) return Errno::kEISDIR;
  return Ok();
}

void DropLink(MetaTxn& txn, Inode& inode) {
  MarkChanged(txn, inode);
  bool last = inode.attr.type == FileType::kDirectory || inode.attr.nlink <= 1;
  inode.attr.nlink = last ? 0 : inode.attr.nlink - 1;
  if (last) inode.linkable = false;
  txn.PutInode(inode);
  if (last) txn.PutOrphan(inode.attr.ino);
}

namespace {

// The mode bits that a new inode starts with, before umask or ACL.
uint32_t InitialMode(const Caller& caller, const Inode& dir, const NewInode& what) {
  bool group_inherited = (dir.attr.mode & kSetGid) != 0;
  if (what.type == FileType::kDirectory) {
    return (what.mode & 01777) | (group_inherited ? kSetGid : 0);
  }
  // Nobody gets an executable of a group that he is not in to run as that group.
  constexpr uint32_t kRunsAsGroup = kSetGid | kGroupExecute;
  bool strip = group_inherited && (what.mode & kRunsAsGroup) == kRunsAsGroup &&
               !InGroupOrRoot(caller, dir.attr.gid);
  return what.mode & 07777 & ~(strip ? kSetGid : 0);
}

// Applies the directory's default ACL or else the umask to the mode of `inode`.
Status ApplyDefaults(MetaTxn& txn, const Inode& dir, uint32_t umask, Inode& inode) {
  ASSIGN_OR_RETURN(Acl inherited, LoadAcl(txn, dir.attr, kDefaultAclName));
  if (inherited.entries.empty()) {
    inode.attr.mode &= ~(umask & 0777);
    return Ok();
  }
  Acl access = inherited;
  inode.attr.mode = InheritAcl(access, inode.attr.mode);
  if (!IsMinimal(access)) PutXattr(txn, inode, kAccessAclName, EncodeAcl(access));
  if (inode.attr.type == FileType::kDirectory) {
    PutXattr(txn, inode, kDefaultAclName, EncodeAcl(inherited));
  }
  return Ok();
}

}  // namespace

Result<Inode> MakeInode(MetaTxn& txn, const Caller& caller, const Inode& dir,
                        const NewInode& what) {
  Inode inode;
  ASSIGN_OR_RETURN(inode.attr.ino, txn.NewIno());
  Attr& attr = inode.attr;
  attr.type = what.type;
  attr.mode = InitialMode(caller, dir, what);
  attr.nlink = 1;
  attr.uid = caller.uid;
  attr.gid = (dir.attr.mode & kSetGid) != 0 ? dir.attr.gid : caller.gid;
  attr.atime = attr.mtime = attr.ctime = attr.btime = txn.Now();
  attr.version = 1;
  attr.no_xattrs = true;
  inode.quota = dir.quota;
  switch (what.type) {
    case FileType::kDirectory:
      attr.nlink = 2;
      attr.size = attr.allocated = kDirectoryBytes;
      break;
    case FileType::kSymlink:
      inode.target = what.target;
      attr.size = what.target.size();
      return inode;  // symlinks have no ACL
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      attr.rdev = what.rdev;
      break;
    default:
      break;
  }
  RETURN_IF_ERROR(ApplyDefaults(txn, dir, what.umask, inode));
  return inode;
}

void AddName(MetaTxn& txn, Inode& dir, std::string_view name, Inode& inode) {
  if (inode.attr.type == FileType::kDirectory) {
    inode.parent = dir.attr.ino;
    inode.name = name;
    ++dir.attr.nlink;
  }
  MarkModified(txn, dir);
  txn.PutDentry(dir.attr.ino, name, {inode.attr.ino, inode.attr.type});
  txn.PutInode(inode);
  txn.PutInode(dir);
}

Status OpenInode(MetaTxn& txn, const Caller& caller, Inode& inode, const OpenArgs& args) {
  bool writes = CanWrite(args.access) || args.truncate;
  uint32_t want = writes ? kMayWrite : 0;
  if (args.execute) want |= kMayExecute;
  if (CanRead(args.access) && !args.execute) want |= kMayRead;
  switch (inode.attr.type) {
    case FileType::kSymlink:
      return Errno::kELOOP;
    case FileType::kDirectory:
      if (writes) return Errno::kEISDIR;
      if (args.execute) return Errno::kEACCES;
      break;
    case FileType::kRegular:
      break;
    default:
      if (args.execute) return Errno::kEACCES;
  }
  RETURN_IF_ERROR(CheckPermission(txn, caller, inode, want));
  if (!args.truncate || inode.attr.type != FileType::kRegular) return Ok();
  RETURN_IF_ERROR(DropPrivileges(txn, caller, IsRoot(caller), inode));
  RETURN_IF_ERROR(txn.SetSize(inode, 0));
  MarkModified(txn, inode);
  txn.PutInode(inode);
  return Ok();
}

}  // namespace tarn::posix
