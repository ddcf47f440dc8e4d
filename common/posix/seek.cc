#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<Inode> PrepareSeek(MetaTxn& txn, const Caller& /*caller*/, const SeekArgs& args) {
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  if (inode.attr.type != FileType::kRegular) return Errno::kEINVAL;
  if (args.offset >= inode.attr.size) return Errno::kENXIO;
  return inode;
}

}  // namespace tarn::posix
