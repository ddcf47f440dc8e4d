#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<OpenReply> Open(MetaTxn& txn, const Caller& caller, const OpenArgs& args) {
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  RETURN_IF_ERROR(OpenInode(txn, caller, inode, args));
  return OpenReply{inode.attr};
}

}  // namespace tarn::posix
