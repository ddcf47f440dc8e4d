#include <algorithm>

#include "common/limits.h"
#include "common/posix/permissions.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {
namespace {

// How much there is to copy. Errors: EFBIG, EINVAL (overlap).
Result<uint64_t> LengthToCopy(const CopyRangeArgs& args, const Inode& source, const Inode& target) {
  if (args.source_offset > UINT64_MAX - args.length ||
      args.target_offset > UINT64_MAX - args.length) {
    return Errno::kEOVERFLOW;
  }
  if (args.source_offset >= source.attr.size || args.length == 0) return uint64_t{0};
  uint64_t length = std::min(args.length, source.attr.size - args.source_offset);
  if (args.target_offset >= kFileMaxBytes) return Errno::kEFBIG;
  length = std::min(length, kFileMaxBytes - args.target_offset);
  bool overlap = args.target_offset < args.source_offset + length &&
                 args.source_offset < args.target_offset + length;
  if (source.attr.ino == target.attr.ino && overlap) return Errno::kEINVAL;
  return length;
}

}  // namespace

Result<CopyPlan> PrepareCopy(MetaTxn& txn, const Caller& caller, const CopyRangeArgs& args,
                             uint64_t max_bytes) {
  ASSIGN_OR_RETURN(Inode source, GetInode(txn, args.source));
  ASSIGN_OR_RETURN(Inode target, GetInode(txn, args.target));
  for (const Inode* inode : {&source, &target}) {
    if (inode->attr.type == FileType::kDirectory) return Errno::kEISDIR;
  }
  for (const Inode* inode : {&source, &target}) {
    if (inode->attr.type != FileType::kRegular) return Errno::kEINVAL;
  }
  if (caller.read_only) return Errno::kEROFS;
  ASSIGN_OR_RETURN(uint64_t length, LengthToCopy(args, source, target));
  length = std::min(length, max_bytes);
  if (length > 0) {
    RETURN_IF_ERROR(DropPrivileges(txn, caller, IsRoot(caller), target));
    MarkModified(txn, target);
  }
  return CopyPlan{std::move(source), std::move(target), length};
}

}  // namespace tarn::posix
