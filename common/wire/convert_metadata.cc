#include "common/limits.h"
#include "common/wire/convert.h"
#include "common/wire/parts.h"

namespace tarn::wire {

namespace {

template <class Message>
void FillPrefetch(const Prefetch& from, Message& to) {
  if (from.size == 0) return;
  to.mutable_prefetch()->set_offset(from.offset);
  to.mutable_prefetch()->set_size(from.size);
}

template <class Message>
Status TakePrefetch(const Message& from, Prefetch& to) {
  if (from.prefetch().size() > kPrefetchMaxBytes) {
    return Error(Errno::kEINVAL, "more contents than come with attributes");
  }
  to = {from.prefetch().offset(), from.prefetch().size()};
  return Ok();
}

}  // namespace

void Fill(const LookupArgs& from, v1::LookupRequest& to) {
  FillNamed(from, to);
  FillPrefetch(from.prefetch, to);
}
Status Take(const v1::LookupRequest& from, LookupArgs& to) {
  RETURN_IF_ERROR(TakePrefetch(from, to.prefetch));
  return TakeNamed(from, to);
}

void Fill(const GetAttrArgs& from, v1::GetAttrRequest& to) {
  Fill(from.inode, *to.mutable_inode());
  FillPrefetch(from.prefetch, to);
}
Status Take(const v1::GetAttrRequest& from, GetAttrArgs& to) {
  to.inode = HandleOf(from.inode());
  return TakePrefetch(from, to.prefetch);
}

void Fill(const SetAttrArgs& from, v1::SetAttrRequest& to) {
  Fill(from.inode, *to.mutable_inode());
  if (from.open) to.set_open(Raw(*from.open));
  if (from.mode) to.set_mode(*from.mode);
  if (from.uid) to.set_uid(*from.uid);
  if (from.gid) to.set_gid(*from.gid);
  if (from.size) to.set_size(*from.size);
  to.set_atime_now(from.atime_now);
  to.set_mtime_now(from.mtime_now);
  if (from.atime) to.set_atime(from.atime->ns);
  if (from.mtime) to.set_mtime(from.mtime->ns);
  to.set_kill_privileges(from.kill_privileges);
}
Status Take(const v1::SetAttrRequest& from, SetAttrArgs& to) {
  to = {};
  to.inode = HandleOf(from.inode());
  if (from.has_open()) to.open = OpenId{from.open()};
  if (from.has_mode()) to.mode = from.mode();
  if (from.has_uid()) to.uid = from.uid();
  if (from.has_gid()) to.gid = from.gid();
  if (from.has_size()) to.size = from.size();
  to.atime_now = from.atime_now();
  to.mtime_now = from.mtime_now();
  if (from.has_atime()) to.atime = Timestamp{from.atime()};
  if (from.has_mtime()) to.mtime = Timestamp{from.mtime()};
  to.kill_privileges = from.kill_privileges();
  RETURN_IF_ERROR(CheckMode(to.mode.value_or(0)));
  return CheckOffset(to.size.value_or(0));
}

void Fill(const ReadLinkArgs& from, v1::ReadLinkRequest& to) {
  Fill(from.inode, *to.mutable_inode());
}
Status Take(const v1::ReadLinkRequest& from, ReadLinkArgs& to) {
  to.inode = HandleOf(from.inode());
  return Ok();
}

void Fill(const MakeNodeArgs& from, v1::MakeNodeRequest& to) {
  FillNew(from, to);
  to.set_name(from.name);
  to.set_type(static_cast<v1::FileType>(from.type));
  to.set_rdev(from.rdev);
}
Status Take(const v1::MakeNodeRequest& from, MakeNodeArgs& to) {
  to.name = from.name();
  ASSIGN_OR_RETURN(to.type, FileTypeOf(from.type()));
  to.rdev = from.rdev();
  return TakeNew(from, to);
}

void Fill(const MakeDirArgs& from, v1::MakeDirRequest& to) {
  FillNew(from, to);
  to.set_name(from.name);
}
Status Take(const v1::MakeDirRequest& from, MakeDirArgs& to) {
  to.name = from.name();
  return TakeNew(from, to);
}

void Fill(const SymLinkArgs& from, v1::SymLinkRequest& to) {
  FillNamed(from, to);
  to.set_target(from.target);
}
Status Take(const v1::SymLinkRequest& from, SymLinkArgs& to) {
  to.target = from.target();
  return TakeNamed(from, to);
}

void Fill(const UnlinkArgs& from, v1::UnlinkRequest& to) { FillNamed(from, to); }
Status Take(const v1::UnlinkRequest& from, UnlinkArgs& to) { return TakeNamed(from, to); }

void Fill(const RemoveDirArgs& from, v1::RemoveDirRequest& to) { FillNamed(from, to); }
Status Take(const v1::RemoveDirRequest& from, RemoveDirArgs& to) { return TakeNamed(from, to); }

void Fill(const RenameArgs& from, v1::RenameRequest& to) {
  FillNamed(from, to);
  Fill(from.new_dir, *to.mutable_new_dir());
  to.set_new_name(from.new_name);
  to.set_mode(static_cast<uint32_t>(from.mode));
}
Status Take(const v1::RenameRequest& from, RenameArgs& to) {
  to.new_dir = HandleOf(from.new_dir());
  to.new_name = from.new_name();
  ASSIGN_OR_RETURN(to.mode, EnumOf(from.mode(), RenameMode::kExchange));
  return TakeNamed(from, to);
}

void Fill(const LinkArgs& from, v1::LinkRequest& to) {
  Fill(from.inode, *to.mutable_inode());
  Fill(from.new_dir, *to.mutable_new_dir());
  to.set_new_name(from.new_name);
}
Status Take(const v1::LinkRequest& from, LinkArgs& to) {
  to.inode = HandleOf(from.inode());
  to.new_dir = HandleOf(from.new_dir());
  to.new_name = from.new_name();
  return Ok();
}

void Fill(const ReadDirArgs& from, v1::ReadDirRequest& to) {
  Fill(from.dir, *to.mutable_dir());
  to.set_cookie(from.cookie);
  to.set_max_bytes(from.max_bytes);
  to.set_plus(from.plus);
}
Status Take(const v1::ReadDirRequest& from, ReadDirArgs& to) {
  to.dir = HandleOf(from.dir());
  to.cookie = from.cookie();
  to.max_bytes = from.max_bytes();
  to.plus = from.plus();
  if (to.max_bytes > kReadDirMaxBytes) return Invalid("directory listing beyond 256 KiB");
  return Ok();
}

void Fill(const StatFsArgs& from, v1::StatFsRequest& to) { Fill(from.inode, *to.mutable_inode()); }
Status Take(const v1::StatFsRequest& from, StatFsArgs& to) {
  to.inode = HandleOf(from.inode());
  return Ok();
}

void Fill(const GetXattrArgs& from, v1::GetXattrRequest& to) {
  Fill(from.inode, *to.mutable_inode());
  to.set_name(from.name);
}
Status Take(const v1::GetXattrRequest& from, GetXattrArgs& to) {
  to.inode = HandleOf(from.inode());
  to.name = from.name();
  return Ok();
}

void Fill(const SetXattrArgs& from, v1::SetXattrRequest& to) {
  Fill(from.inode, *to.mutable_inode());
  to.set_name(from.name);
  to.set_value(from.value);
  to.set_mode(static_cast<uint32_t>(from.mode));
}
Status Take(const v1::SetXattrRequest& from, SetXattrArgs& to) {
  to.inode = HandleOf(from.inode());
  to.name = from.name();
  to.value = from.value();
  ASSIGN_OR_RETURN(to.mode, EnumOf(from.mode(), XattrMode::kReplace));
  return Ok();
}

void Fill(const ListXattrArgs& from, v1::ListXattrRequest& to) {
  Fill(from.inode, *to.mutable_inode());
}
Status Take(const v1::ListXattrRequest& from, ListXattrArgs& to) {
  to.inode = HandleOf(from.inode());
  return Ok();
}

void Fill(const RemoveXattrArgs& from, v1::RemoveXattrRequest& to) {
  Fill(from.inode, *to.mutable_inode());
  to.set_name(from.name);
}
Status Take(const v1::RemoveXattrRequest& from, RemoveXattrArgs& to) {
  to.inode = HandleOf(from.inode());
  to.name = from.name();
  return Ok();
}

void Fill(const AccessArgs& from, v1::AccessRequest& to) {
  Fill(from.inode, *to.mutable_inode());
  to.set_mask(from.mask);
}
Status Take(const v1::AccessRequest& from, AccessArgs& to) {
  to.inode = HandleOf(from.inode());
  to.mask = from.mask();
  if (to.mask > 7) return Invalid("unknown access");
  return Ok();
}

}  // namespace tarn::wire
