#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<AttrReply> GetAttr(MetaTxn& txn, const Caller& /*caller*/, const GetAttrArgs& args) {
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  return AttrReply{inode.attr};
}

}  // namespace tarn::posix
