#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<ReadLinkReply> ReadLink(MetaTxn& txn, const Caller& /*caller*/, const ReadLinkArgs& args) {
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  if (inode.attr.type != FileType::kSymlink) return Errno::kEINVAL;
  return ReadLinkReply{std::move(inode.target)};
}

}  // namespace tarn::posix
