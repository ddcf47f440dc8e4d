#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<EntryReply> MakeDir(MetaTxn& txn, const Caller& caller, const MakeDirArgs& args) {
  ASSIGN_OR_RETURN(Inode dir, GetDirForNew(txn, caller, args.dir, args.name));
  ASSIGN_OR_RETURN(
      Inode inode,
      MakeInode(txn, caller, dir,
                {.type = FileType::kDirectory, .mode = args.mode, .umask = args.umask}));
  AddName(txn, dir, args.name, inode);
  return MakeEntry(inode);
}

}  // namespace tarn::posix
