#include "common/posix/permissions.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<EntryReply> MakeNode(MetaTxn& txn, const Caller& caller, const MakeNodeArgs& args) {
  switch (args.type) {
    case FileType::kRegular:
    case FileType::kFifo:
    case FileType::kSocket:
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      break;
    case FileType::kDirectory:
      return Errno::kEPERM;
    default:
      return Errno::kEINVAL;
  }
  ASSIGN_OR_RETURN(Inode dir, GetDirForNew(txn, caller, args.dir, args.name));
  // The device 0:0 is a "whiteout", which overlay file systems make and nobody can open.
  bool whiteout = args.type == FileType::kCharDevice && args.rdev == 0;
  bool device = args.type == FileType::kCharDevice || args.type == FileType::kBlockDevice;
  if (device && !whiteout && !IsRoot(caller)) return Errno::kEPERM;
  ASSIGN_OR_RETURN(
      Inode inode,
      MakeInode(txn, caller, dir,
                {.type = args.type, .mode = args.mode, .umask = args.umask, .rdev = args.rdev}));
  AddName(txn, dir, args.name, inode);
  return MakeEntry(inode);
}

}  // namespace tarn::posix
