#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<EntryReply> SymLink(MetaTxn& txn, const Caller& caller, const SymLinkArgs& args) {
  if (args.target.empty()) return Errno::kENOENT;
  if (args.target.size() > txn.limits().symlink_bytes) return Errno::kENAMETOOLONG;
  if (args.target.find('\0') != args.target.npos) return Errno::kEINVAL;
  ASSIGN_OR_RETURN(Inode dir, GetDirForNew(txn, caller, args.dir, args.name));
  ASSIGN_OR_RETURN(Inode inode,
                   MakeInode(txn, caller, dir,
                             {.type = FileType::kSymlink, .mode = 0777, .target = args.target}));
  AddName(txn, dir, args.name, inode);
  return MakeEntry(inode);
}

}  // namespace tarn::posix
