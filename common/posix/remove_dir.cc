#include "common/posix/names.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Status RemoveDir(MetaTxn& txn, const Caller& caller, const RemoveDirArgs& args) {
  ASSIGN_OR_RETURN(Inode dir, GetSearchableDir(txn, caller, args.dir));
  if (IsDots(args.name)) return args.name == "." ? Errno::kEINVAL : Errno::kENOTEMPTY;
  if (caller.read_only) return Errno::kEROFS;
  ASSIGN_OR_RETURN(Dentry dentry, FindName(txn, dir, args.name));
  ASSIGN_OR_RETURN(Inode victim, GetNamedInode(txn, dentry.ino));
  RETURN_IF_ERROR(CheckRemove(txn, caller, dir, victim, /*as_directory=*/true));
  ASSIGN_OR_RETURN(bool occupied, txn.HasDentries(victim.attr.ino));
  if (occupied) return Errno::kENOTEMPTY;
  txn.DeleteDentry(dir.attr.ino, args.name);
  DropLink(txn, victim);
  --dir.attr.nlink;
  MarkModified(txn, dir);
  txn.PutInode(dir);
  return Ok();
}

}  // namespace tarn::posix
