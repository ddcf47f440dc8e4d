#include <algorithm>

#include "common/limits.h"
#include "common/posix/permissions.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {

Result<WritePlan> PrepareWrite(MetaTxn& txn, const Caller& caller, const WriteArgs& args) {
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  if (inode.attr.type == FileType::kDirectory) return Errno::kEISDIR;
  if (inode.attr.type != FileType::kRegular) return Errno::kEINVAL;
  if (caller.read_only) return Errno::kEROFS;
  uint64_t offset = args.append ? inode.attr.size : args.offset;
  if (args.data.empty()) return WritePlan{std::move(inode), offset};
  if (offset > kFileMaxBytes || args.data.size() > kFileMaxBytes - offset) return Errno::kEFBIG;
  if (!args.mapped) {
    bool keep_ids = IsRoot(caller) && !args.kill_privileges;
    RETURN_IF_ERROR(DropPrivileges(txn, caller, keep_ids, inode));
  }
  const Timestamp before = inode.attr.ctime;
  MarkModified(txn, inode);
  if (args.made.has_value()) {
    const Timestamp made = std::max(std::min(*args.made, txn.Now()), before);
    inode.attr.mtime = inode.attr.ctime = made;
  }
  return WritePlan{std::move(inode), offset};
}

}  // namespace tarn::posix
