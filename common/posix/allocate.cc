#include <algorithm>

#include "common/limits.h"
#include "common/posix/permissions.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<AttrReply> Allocate(MetaTxn& txn, const Caller& caller, const AllocateArgs& args) {
  if (args.length == 0) return Errno::kEINVAL;
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  if (caller.read_only) return Errno::kEROFS;
  if (inode.attr.type == FileType::kDirectory) return Errno::kEISDIR;
  if (inode.attr.type != FileType::kRegular) return Errno::kENODEV;
  if (args.offset > kFileMaxBytes || args.length > kFileMaxBytes - args.offset) {
    return Errno::kEFBIG;
  }
  const uint64_t end = args.offset + args.length;
  const uint64_t size = inode.attr.size;
  bool zeroes = false, extends = false;
  switch (args.mode) {
    case AllocateMode::kExtend:
      extends = true;
      break;
    case AllocateMode::kKeepSize:
      break;
    case AllocateMode::kPunchHole:
    case AllocateMode::kZeroRangeKeepSize:
      zeroes = true;
      break;
    case AllocateMode::kZeroRange:
      zeroes = extends = true;
      break;
    default:
      return Errno::kEINVAL;
  }
  RETURN_IF_ERROR(DropPrivileges(txn, caller, IsRoot(caller), inode));
  if (zeroes && args.offset < size) {
    RETURN_IF_ERROR(txn.DropRange(inode, args.offset, std::min(end, size) - args.offset));
  }
  if (extends && end > size) RETURN_IF_ERROR(txn.SetSize(inode, end));
  MarkModified(txn, inode);
  txn.PutInode(inode);
  return AttrReply{inode.attr};
}

}  // namespace tarn::posix
