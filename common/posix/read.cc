#include <algorithm>

#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {
namespace {

constexpr int64_t kDayNanos = 24LL * 3600 * 1'000'000'000;

uint32_t DayOf(Timestamp t) {
  return t.ns <= 0 ? 0 : static_cast<uint32_t>(t.ns / kDayNanos);
}

}  // namespace

Result<ReadPlan> PrepareRead(MetaTxn& txn, const Caller& /*caller*/, const ReadArgs& args) {
  ASSIGN_OR_RETURN(Inode inode, GetInode(txn, args.inode));
  if (inode.attr.type == FileType::kDirectory) return Errno::kEISDIR;
  if (inode.attr.type != FileType::kRegular) return Errno::kEINVAL;
  ReadPlan plan{std::move(inode), args.offset, 0};
  uint64_t end = plan.inode.attr.size;
  if (args.offset < end) plan.size = std::min<uint64_t>(args.size, end - args.offset);
  return plan;
}

bool AccessIsDue(const Inode& inode, Timestamp now) {
  const Attr& attr = inode.attr;
  return attr.atime <= attr.mtime || attr.atime <= attr.ctime ||
         attr.atime.ns <= now.ns - kDayNanos || inode.access_day != DayOf(now);
}

void TouchAccess(MetaTxn& txn, Inode& inode) {
  inode.attr.atime = txn.Now();
  inode.access_day = DayOf(txn.Now());
  txn.PutInode(inode);
}

}  // namespace tarn::posix
