#include "common/posix/names.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Status Unlink(MetaTxn& txn, const Caller& caller, const UnlinkArgs& args) {
  ASSIGN_OR_RETURN(Inode dir, GetSearchableDir(txn, caller, args.dir));
  if (IsDots(args.name)) return Errno::kEISDIR;
  if (caller.read_only) return Errno::kEROFS;
  ASSIGN_OR_RETURN(Dentry dentry, FindName(txn, dir, args.name));
  ASSIGN_OR_RETURN(Inode inode, GetNamedInode(txn, dentry.ino));
  RETURN_IF_ERROR(CheckRemove(txn, caller, dir, inode, /*as_directory=*/false));
  txn.DeleteDentry(dir.attr.ino, args.name);
  DropLink(txn, inode);
  MarkModified(txn, dir);
  txn.PutInode(dir);
  return Ok();
}

}  // namespace tarn::posix
