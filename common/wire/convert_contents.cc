#include <algorithm>

#include "common/limits.h"
#include "common/wire/convert.h"
#include "common/wire/parts.h"

namespace tarn::wire {

void Fill(const OpenArgs& from, v1::OpenRequest& to) {
  FillOpened(from, to);
  to.set_access(static_cast<uint32_t>(from.access));
  to.set_truncate(from.truncate);
  to.set_execute(from.execute);
}
Status Take(const v1::OpenRequest& from, OpenArgs& to) {
  TakeOpened(from, to);
  ASSIGN_OR_RETURN(to.access, OpenAccessOf(from.access()));
  to.truncate = from.truncate();
  to.execute = from.execute();
  return Ok();
}

void Fill(const CreateArgs& from, v1::CreateRequest& to) {
  FillNew(from, to);
  to.set_name(from.name);
  to.set_open(Raw(from.open));
  to.set_access(static_cast<uint32_t>(from.access));
  to.set_exclusive(from.exclusive);
  to.set_truncate(from.truncate);
}
Status Take(const v1::CreateRequest& from, CreateArgs& to) {
  to.name = from.name();
  to.open = OpenId{from.open()};
  ASSIGN_OR_RETURN(to.access, OpenAccessOf(from.access()));
  to.exclusive = from.exclusive();
  to.truncate = from.truncate();
  return TakeNew(from, to);
}

void Fill(const CreateTmpArgs& from, v1::CreateTmpRequest& to) {
  FillNew(from, to);
  to.set_open(Raw(from.open));
  to.set_access(static_cast<uint32_t>(from.access));
  to.set_linkable(from.linkable);
}
Status Take(const v1::CreateTmpRequest& from, CreateTmpArgs& to) {
  to.open = OpenId{from.open()};
  ASSIGN_OR_RETURN(to.access, OpenAccessOf(from.access()));
  to.linkable = from.linkable();
  return TakeNew(from, to);
}

void Fill(const ReleaseArgs& from, v1::ReleaseRequest& to) {
  FillOpened(from, to);
  to.set_accessed(from.accessed);
}
Status Take(const v1::ReleaseRequest& from, ReleaseArgs& to) {
  TakeOpened(from, to);
  to.accessed = from.accessed();
  return Ok();
}

void Fill(const ReadArgs& from, v1::ReadRequest& to) {
  FillOpened(from, to);
  to.set_offset(from.offset);
  to.set_size(from.size);
  to.set_direct(from.direct);
}
Status Take(const v1::ReadRequest& from, ReadArgs& to) {
  TakeOpened(from, to);
  to.offset = from.offset();
  to.size = from.size();
  to.direct = from.direct();
  if (to.size > kTransferMaxBytes) return Invalid("read too long");
  return CheckSpan(to.offset, to.size);
}

void Fill(const WriteArgs& from, v1::WriteHead& to) {
  FillOpened(from, to);
  to.set_offset(from.offset);
  to.set_append(from.append);
  to.set_kill_privileges(from.kill_privileges);
  to.set_mapped(from.mapped);
  if (from.made.has_value()) to.set_made(from.made->ns);
}
Status Take(const v1::WriteHead& from, WriteArgs& to) {
  TakeOpened(from, to);
  to.offset = from.offset();
  to.append = from.append();
  to.kill_privileges = from.kill_privileges();
  to.mapped = from.mapped();
  if (from.made() != 0) to.made = Timestamp{from.made()};
  if (to.data.size() > kTransferMaxBytes) return Invalid("write too long");
  return CheckSpan(to.offset, to.data.size());
}

void Fill(const FlushArgs& from, v1::FlushRequest& to) {
  FillOpened(from, to);
  to.set_owner(Raw(from.owner));
}
Status Take(const v1::FlushRequest& from, FlushArgs& to) {
  TakeOpened(from, to);
  to.owner = LockOwner{from.owner()};
  return Ok();
}

void Fill(const FsyncArgs& from, v1::FsyncRequest& to) {
  Fill(from.inode, *to.mutable_inode());
  to.set_data_only(from.data_only);
}
Status Take(const v1::FsyncRequest& from, FsyncArgs& to) {
  to.inode = HandleOf(from.inode());
  to.data_only = from.data_only();
  return Ok();
}

void Fill(const AllocateArgs& from, v1::AllocateRequest& to) {
  FillOpened(from, to);
  to.set_offset(from.offset);
  to.set_length(from.length);
  to.set_mode(static_cast<uint32_t>(from.mode));
}
Status Take(const v1::AllocateRequest& from, AllocateArgs& to) {
  TakeOpened(from, to);
  to.offset = from.offset();
  to.length = from.length();
  ASSIGN_OR_RETURN(to.mode, EnumOf(from.mode(), AllocateMode::kZeroRangeKeepSize));
  return CheckSpan(to.offset, to.length);
}

void Fill(const SeekArgs& from, v1::SeekRequest& to) {
  FillOpened(from, to);
  to.set_offset(from.offset);
  to.set_whence(static_cast<uint32_t>(from.whence));
}
Status Take(const v1::SeekRequest& from, SeekArgs& to) {
  TakeOpened(from, to);
  to.offset = from.offset();
  ASSIGN_OR_RETURN(to.whence, EnumOf(from.whence(), SeekWhence::kHole));
  return CheckOffset(to.offset);
}

void Fill(const CopyRangeArgs& from, v1::CopyRangeRequest& to) {
  Fill(from.source, *to.mutable_source());
  to.set_source_open(Raw(from.source_open));
  to.set_source_offset(from.source_offset);
  Fill(from.target, *to.mutable_target());
  to.set_target_open(Raw(from.target_open));
  to.set_target_offset(from.target_offset);
  to.set_length(from.length);
}
Status Take(const v1::CopyRangeRequest& from, CopyRangeArgs& to) {
  to.source = HandleOf(from.source());
  to.source_open = OpenId{from.source_open()};
  to.source_offset = from.source_offset();
  to.target = HandleOf(from.target());
  to.target_open = OpenId{from.target_open()};
  to.target_offset = from.target_offset();
  to.length = from.length();
  RETURN_IF_ERROR(CheckSpan(to.source_offset, to.length));
  return CheckSpan(to.target_offset, to.length);
}

void Fill(const GetLockArgs& from, v1::GetLockRequest& to) {
  FillOpened(from, to);
  to.set_owner(Raw(from.owner));
  FillLock(from.lock, *to.mutable_lock());
}
Status Take(const v1::GetLockRequest& from, GetLockArgs& to) {
  TakeOpened(from, to);
  to.owner = LockOwner{from.owner()};
  return TakeLock(from.lock(), to.lock);
}

void Fill(const SetLockArgs& from, v1::SetLockRequest& to) {
  FillOpened(from, to);
  to.set_owner(Raw(from.owner));
  to.set_kind(static_cast<uint32_t>(from.kind));
  to.set_wait(from.wait);
  FillLock(from.lock, *to.mutable_lock());
}
Status Take(const v1::SetLockRequest& from, SetLockArgs& to) {
  TakeOpened(from, to);
  to.owner = LockOwner{from.owner()};
  to.wait = from.wait();
  ASSIGN_OR_RETURN(to.kind, EnumOf(from.kind(), LockKind::kFlock));
  return TakeLock(from.lock(), to.lock);
}

}  // namespace tarn::wire
