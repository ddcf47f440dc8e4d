#include "common/posix/names.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<EntryReply> Lookup(MetaTxn& txn, const Caller& caller, const LookupArgs& args) {
  if (args.name == ".") {
    ASSIGN_OR_RETURN(Inode self, GetInode(txn, args.dir));
    return MakeEntry(self);
  }
  ASSIGN_OR_RETURN(Inode dir, GetSearchableDir(txn, caller, args.dir));
  if (args.name == "..") {
    // The parent of a removed directory may be gone itself: that is no corruption.
    ASSIGN_OR_RETURN(Inode parent, GetInode(txn, Handle{dir.parent}));
    return MakeEntry(parent);
  }
  ASSIGN_OR_RETURN(Dentry dentry, FindName(txn, dir, args.name));
  ASSIGN_OR_RETURN(Inode inode, GetNamedInode(txn, dentry.ino));
  return MakeEntry(inode);
}

}  // namespace tarn::posix
