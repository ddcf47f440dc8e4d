// File contents: LocalFs's verbs that move bytes. The rules decide, the store moves.
#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/posix/rules.h"
#include "server/ops/local_fs_impl.h"

namespace tarn::ops {
namespace {

// One call copies at most this much, so that latches are not held for long; the caller goes on.
constexpr uint64_t kCopyMaxBytes = 8 * kTransferMaxBytes;

Result<WriteReply> WriteRule(store::Txn& txn, const Caller& caller, const WriteArgs& args) {
  ASSIGN_OR_RETURN(posix::WritePlan plan, posix::PrepareWrite(txn, caller, args));
  if (!args.data.empty()) {
    RETURN_IF_ERROR(txn.WriteData(plan.inode, plan.offset, args.data));
    txn.PutInode(plan.inode);
  }
  return WriteReply{.offset = plan.offset, .attr = plan.inode.attr};
}

Result<SeekReply> SeekRule(store::Txn& txn, const Caller& caller, const SeekArgs& args) {
  ASSIGN_OR_RETURN(Inode inode, posix::PrepareSeek(txn, caller, args));
  if (args.whence == SeekWhence::kHole) {
    ASSIGN_OR_RETURN(uint64_t hole, txn.FindHole(inode, args.offset));
    return SeekReply{hole};
  }
  ASSIGN_OR_RETURN(std::optional<uint64_t> data, txn.FindData(inode, args.offset));
  if (!data.has_value()) return Errno::kENXIO;
  return SeekReply{*data};
}

// Copies data piece by piece and holes as holes. Within one file `plan.source` stands for its
// contents too: the ranges do not overlap.
Status CopyContents(store::Txn& txn, posix::CopyPlan& plan, uint64_t from, uint64_t to) {
  const uint64_t end = from + plan.length;
  uint64_t at = from;
  while (at < end) {
    ASSIGN_OR_RETURN(std::optional<uint64_t> data, txn.FindData(plan.source, at));
    const uint64_t hole_end = std::min(data.value_or(end), end);
    if (hole_end > at) {
      const uint64_t new_end = to + (hole_end - from);
      RETURN_IF_ERROR(txn.DropRange(plan.target, to + (at - from), hole_end - at));
      if (new_end > plan.target.attr.size) RETURN_IF_ERROR(txn.SetSize(plan.target, new_end));
      at = hole_end;
      continue;
    }
    ASSIGN_OR_RETURN(const uint64_t data_end, txn.FindHole(plan.source, at));
    const size_t n = std::min<uint64_t>(std::min(data_end, end) - at, kTransferMaxBytes);
    ASSIGN_OR_RETURN(Bytes bytes, txn.ReadData(plan.source, at, n));
    RETURN_IF_ERROR(txn.WriteData(plan.target, to + (at - from), bytes));
    at += n;
  }
  return Ok();
}

}  // namespace

Status LocalFsImpl::CheckOpen(Attempt& attempt, SessionId session, OpenId id, Ino ino,
                              OpenAccess access) const {
  const auto open = opens_.Find(session, id);
  if (open.has_value() && open->ino == ino) {
    const bool allowed = (Raw(open->access) & Raw(access)) == Raw(access);
    return allowed ? Ok() : Status(Errno::kEBADF);
  }
  // The open of an inode that is gone was lost with it.
  ASSIGN_OR_RETURN(auto inode, attempt.txn.GetInode(ino));
  return inode.has_value() ? Errno::kEBADF : Errno::kESTALE;
}

Status LocalFsImpl::CheckMayUse(Attempt& attempt, const Caller& caller, OpenId id, Handle inode,
                                OpenAccess access) const {
  if (id != kNoOpen) return CheckOpen(attempt, caller.session, id, inode.ino, access);
  const OpenArgs alone{.inode = inode, .access = access};
  const auto opened = posix::Open(attempt.txn, caller, alone);
  return opened.ok() ? Ok() : Status(opened.error());
}

void LocalFsImpl::Open(const Caller& caller, OpenArgs arguments, Done<OpenReply> done) {
  driver_.Run<verbs::Open>(
      caller, arguments, std::move(done),
      [](Attempt& attempt, const Caller& who, const OpenArgs& args) {
        return posix::Open(attempt.txn, who, args);
      });
}

void LocalFsImpl::Read(const Caller& caller, ReadArgs arguments, Done<ReadReply> done) {
  if (arguments.size > kTransferMaxBytes) return std::move(done)(Errno::kEINVAL);
  driver_.Run<verbs::Read>(
      caller, std::move(arguments), std::move(done),
      [this](Attempt& attempt, const Caller& who, const ReadArgs& args) -> Result<ReadReply> {
        RETURN_IF_ERROR(CheckMayUse(attempt, who, args.open, args.inode, OpenAccess::kRead));
        ASSIGN_OR_RETURN(posix::ReadPlan plan, posix::PrepareRead(attempt.txn, who, args));
        if (plan.size == 0) return ReadReply{};
        ASSIGN_OR_RETURN(Bytes data, attempt.txn.ReadData(plan.inode, plan.offset, plan.size));
        return ReadReply{std::move(data)};
      });
}

void LocalFsImpl::Write(const Caller& caller, WriteArgs arguments, Done<WriteReply> done) {
  if (arguments.data.size() > kTransferMaxBytes) return std::move(done)(Errno::kEINVAL);
  driver_.Run<verbs::Write>(
      caller, std::move(arguments), std::move(done),
      [this](Attempt& attempt, const Caller& who, const WriteArgs& args) -> Result<WriteReply> {
        RETURN_IF_ERROR(CheckMayUse(attempt, who, args.open, args.inode, OpenAccess::kWrite));
        return WriteRule(attempt.txn, who, args);
      });
}

void LocalFsImpl::Allocate(const Caller& caller, AllocateArgs arguments, Done<AttrReply> done) {
  driver_.Run<verbs::Allocate>(
      caller, std::move(arguments), std::move(done),
      [this](Attempt& attempt, const Caller& who, const AllocateArgs& args) -> Result<AttrReply> {
        RETURN_IF_ERROR(
            CheckOpen(attempt, who.session, args.open, args.inode.ino, OpenAccess::kWrite));
        return posix::Allocate(attempt.txn, who, args);
      });
}

void LocalFsImpl::Seek(const Caller& caller, SeekArgs arguments, Done<SeekReply> done) {
  driver_.Run<verbs::Seek>(
      caller, std::move(arguments), std::move(done),
      [this](Attempt& attempt, const Caller& who, const SeekArgs& args) -> Result<SeekReply> {
        RETURN_IF_ERROR(
            CheckOpen(attempt, who.session, args.open, args.inode.ino, OpenAccess::kNone));
        return SeekRule(attempt.txn, who, args);
      });
}

void LocalFsImpl::CopyRange(const Caller& caller, CopyRangeArgs arguments,
                            Done<CopyRangeReply> done) {
  driver_.Run<verbs::CopyRange>(
      caller, std::move(arguments), std::move(done),
      [this](Attempt& attempt, const Caller& who, const CopyRangeArgs& args) {
        return Copy(attempt, who, args);
      });
}

Result<CopyRangeReply> LocalFsImpl::Copy(Attempt& attempt, const Caller& caller,
                                         const CopyRangeArgs& args) const {
  RETURN_IF_ERROR(
      CheckOpen(attempt, caller.session, args.source_open, args.source.ino, OpenAccess::kRead));
  RETURN_IF_ERROR(
      CheckOpen(attempt, caller.session, args.target_open, args.target.ino, OpenAccess::kWrite));
  ASSIGN_OR_RETURN(posix::CopyPlan plan,
                   posix::PrepareCopy(attempt.txn, caller, args, kCopyMaxBytes));
  if (plan.length == 0) return CopyRangeReply{};
  // Much to copy is for the pool, even where all of it is in memory.
  if (attempt.tier == store::Tier::kMemoryOnly && plan.length > kTransferMaxBytes) {
    return Errno::kBlocked;
  }
  RETURN_IF_ERROR(CopyContents(attempt.txn, plan, args.source_offset, args.target_offset));
  attempt.txn.PutInode(plan.target);
  return CopyRangeReply{plan.length};
}

}  // namespace tarn::ops
