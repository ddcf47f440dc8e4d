#include "common/wire/parts.h"

#include <climits>

#include "common/limits.h"

namespace tarn::wire {

constexpr uint32_t kModeBits = 07777;

Error Invalid(const char* what) { return Error(Errno::kEINVAL, what); }

Status CheckMode(uint32_t mode) {
  if ((mode & ~kModeBits) != 0) return Invalid("mode has bits beyond 07777");
  return Ok();
}

Status CheckOffset(uint64_t offset) {
  if (offset > INT64_MAX) return Invalid("offset beyond 2^63 - 1");
  return Ok();
}

Status CheckSpan(uint64_t offset, uint64_t length) {
  if (offset > INT64_MAX || length > INT64_MAX - offset) {
    return Invalid("range beyond 2^63 - 1");
  }
  return Ok();
}

Result<FileType> FileTypeOf(v1::FileType from) {
  switch (from) {
    case v1::FILE_TYPE_FIFO:
    case v1::FILE_TYPE_CHAR_DEVICE:
    case v1::FILE_TYPE_DIRECTORY:
    case v1::FILE_TYPE_BLOCK_DEVICE:
    case v1::FILE_TYPE_REGULAR:
    case v1::FILE_TYPE_SYMLINK:
    case v1::FILE_TYPE_SOCKET:
      return static_cast<FileType>(from);
    default:
      return Invalid("unknown file type");
  }
}

void FillLock(const FileLock& from, v1::FileLock& to) {
  to.set_type(static_cast<uint32_t>(from.type));
  to.set_start(from.start);
  to.set_end(from.end);
  to.set_pid(from.pid);
}

Status TakeLock(const v1::FileLock& from, FileLock& to) {
  ASSIGN_OR_RETURN(to.type, EnumOf(from.type(), LockType::kWrite));
  to.start = from.start();
  to.end = from.end();
  to.pid = from.pid();
  if (to.start > to.end) return Invalid("lock ends before it starts");
  return Ok();
}

void Fill(const Handle& from, v1::Handle& to) {
  to.set_ino(Raw(from.ino));
  to.set_tag(from.tag);
}
Handle HandleOf(const v1::Handle& from) { return {Ino{from.ino()}, from.tag()}; }

void Fill(const SessionId& from, v1::SessionId& to) {
  to.set_high(from.high);
  to.set_low(from.low);
}
SessionId SessionIdOf(const v1::SessionId& from) { return {from.high(), from.low()}; }

void Fill(const Attr& from, v1::Attr& to) {
  to.set_ino(Raw(from.ino));
  to.set_type(static_cast<v1::FileType>(from.type));
  to.set_mode(from.mode);
  to.set_nlink(from.nlink);
  to.set_uid(from.uid);
  to.set_gid(from.gid);
  to.set_rdev(from.rdev);
  to.set_size(from.size);
  to.set_allocated(from.allocated);
  to.set_atime(from.atime.ns);
  to.set_mtime(from.mtime.ns);
  to.set_ctime(from.ctime.ns);
  to.set_btime(from.btime.ns);
  to.set_version(from.version);
  to.set_no_xattrs(from.no_xattrs);
}

Status Take(const v1::Attr& from, Attr& to) {
  to.ino = Ino{from.ino()};
  ASSIGN_OR_RETURN(to.type, FileTypeOf(from.type()));
  to.mode = from.mode();
  to.nlink = from.nlink();
  to.uid = from.uid();
  to.gid = from.gid();
  to.rdev = from.rdev();
  to.size = from.size();
  to.allocated = from.allocated();
  to.atime = {from.atime()};
  to.mtime = {from.mtime()};
  to.ctime = {from.ctime()};
  to.btime = {from.btime()};
  to.version = from.version();
  to.no_xattrs = from.no_xattrs();
  return CheckMode(to.mode);
}

void Fill(const Caller& from, v1::Caller& to) {
  to.set_uid(from.uid);
  to.set_gid(from.gid);
  to.set_pid(from.pid);
  if (from.groups.has_value()) {
    to.set_has_groups(true);
    to.mutable_groups()->Assign(from.groups->begin(), from.groups->end());
  }
}

Status Take(const v1::Caller& from, Caller& to) {
  to.uid = from.uid();
  to.gid = from.gid();
  to.pid = from.pid();
  to.groups.reset();
  if (from.groups_size() > static_cast<int>(kGroupsMax)) return Invalid("too many groups");
  if (from.has_groups()) to.groups.emplace(from.groups().begin(), from.groups().end());
  return Ok();
}

Result<OpenAccess> OpenAccessOf(uint32_t from) { return EnumOf(from, OpenAccess::kReadWrite); }

void Fill(const ReleaseArgs& from, v1::EndedOpen& to) {
  FillOpened(from, to);
  to.set_accessed(from.accessed);
}

ReleaseArgs EndedOpenOf(const v1::EndedOpen& from) {
  ReleaseArgs to;
  TakeOpened(from, to);
  to.accessed = from.accessed();
  return to;
}

void Fill(const FormerRequest& from, v1::FormerRequest& to) {
  Fill(from.session, *to.mutable_session());
  to.set_slot(from.request.slot);
  to.set_sequence(from.request.sequence);
}

FormerRequest FormerRequestOf(const v1::FormerRequest& from) {
  return {SessionIdOf(from.session()), {from.slot(), from.sequence()}};
}

void Fill(const SetLockArgs& from, v1::ReclaimLock& to) {
  FillOpened(from, to);
  to.set_owner(Raw(from.owner));
  to.set_kind(static_cast<uint32_t>(from.kind));
  to.set_type(static_cast<uint32_t>(from.lock.type));
  to.set_start(from.lock.start);
  to.set_end(from.lock.end);
  to.set_pid(from.lock.pid);
}

Status Take(const v1::ReclaimLock& from, SetLockArgs& to) {
  TakeOpened(from, to);
  to.owner = LockOwner{from.owner()};
  to.wait = false;
  ASSIGN_OR_RETURN(to.kind, EnumOf(from.kind(), LockKind::kFlock));
  ASSIGN_OR_RETURN(to.lock.type, EnumOf(from.type(), LockType::kWrite));
  to.lock.start = from.start();
  to.lock.end = from.end();
  to.lock.pid = from.pid();
  if (to.lock.type == LockType::kUnlock) return Invalid("reclaim of no lock");
  if (to.lock.start > to.lock.end) return Invalid("lock ends before it starts");
  return Ok();
}

}  // namespace tarn::wire
