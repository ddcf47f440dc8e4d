#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<EntryReply> Link(MetaTxn& txn, const Caller& caller, const LinkArgs& args) {
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  ASSIGN_OR_RETURN(Inode dir, GetDirForNew(txn, caller, args.new_dir, args.new_name));
  if (inode.attr.type == FileType::kDirectory) return Errno::kEPERM;
  // Without a name only an O_TMPFILE inode may get one, and that once: DropLink sees to it.
  if (inode.attr.nlink == 0 && !inode.linkable) return Errno::kENOENT;
  if (inode.attr.nlink >= txn.limits().links) return Errno::kEMLINK;
  if (inode.quota != dir.quota) return Errno::kEXDEV;
  if (inode.attr.nlink == 0) txn.DeleteOrphan(inode.attr.ino);
  ++inode.attr.nlink;
  MarkChanged(txn, inode);
  AddName(txn, dir, args.new_name, inode);
  return MakeEntry(inode);
}

}  // namespace tarn::posix
