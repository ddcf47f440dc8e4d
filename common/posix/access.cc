#include "common/posix/permissions.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Status Access(MetaTxn& txn, const Caller& caller, const AccessArgs& args) {
  if ((args.mask & ~(kMayRead | kMayWrite | kMayExecute)) != 0) return Errno::kEINVAL;
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  return CheckPermission(txn, caller, inode, args.mask);
}

}  // namespace tarn::posix
