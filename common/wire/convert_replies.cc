#include "common/limits.h"
#include "common/wire/convert.h"
#include "common/wire/parts.h"

namespace tarn::wire {
namespace {

// A handle and its attributes, in messages that have both.
template <class Message>
void FillEntry(const EntryReply& from, Message& to) {
  Fill(from.handle, *to.mutable_handle());
  Fill(from.attr, *to.mutable_attr());
}

template <class Message>
Status TakeEntry(const Message& from, EntryReply& to) {
  to.handle = HandleOf(from.handle());
  return Take(from.attr(), to.attr);
}

void FillDirEntry(const DirEntry& from, v1::DirEntry& to) {
  to.set_name(from.name);
  to.set_ino(Raw(from.ino));
  to.set_type(static_cast<v1::FileType>(from.type));
  to.set_cookie(from.cookie);
  if (from.entry.has_value()) FillEntry(*from.entry, to);
}

Status TakeDirEntry(const v1::DirEntry& from, DirEntry& to) {
  if (from.name().empty() || from.name().size() > kNameMaxBytes ||
      from.name().find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
    return Invalid("bad name in a directory listing");
  }
  to.name = from.name();
  to.ino = Ino{from.ino()};
  ASSIGN_OR_RETURN(to.type, FileTypeOf(from.type()));
  to.cookie = from.cookie();
  to.entry.reset();
  if (!from.has_handle()) return Ok();
  return TakeEntry(from, to.entry.emplace());
}

}  // namespace

void Fill(const Unit& from, v1::EmptyReply& to) {}
Status Take(const v1::EmptyReply& from, Unit& to) { return Ok(); }

void Fill(const EntryReply& from, v1::EntryReply& to) { FillEntry(from, to); }
Status Take(const v1::EntryReply& from, EntryReply& to) { return TakeEntry(from, to); }

void Fill(const AttrReply& from, v1::AttrReply& to) { Fill(from.attr, *to.mutable_attr()); }
Status Take(const v1::AttrReply& from, AttrReply& to) { return Take(from.attr(), to.attr); }

void Fill(const ReadLinkReply& from, v1::ReadLinkReply& to) { to.set_target(from.target); }
Status Take(const v1::ReadLinkReply& from, ReadLinkReply& to) {
  to.target = from.target();
  return Ok();
}

void Fill(const OpenReply& from, v1::OpenReply& to) {
  Fill(from.attr, *to.mutable_attr());
}
Status Take(const v1::OpenReply& from, OpenReply& to) {
  return Take(from.attr(), to.attr);
}

void Fill(const CreateReply& from, v1::CreateReply& to) {
  FillEntry(from.entry, to);
  to.set_created(from.created);
}
Status Take(const v1::CreateReply& from, CreateReply& to) {
  to.created = from.created();
  return TakeEntry(from, to.entry);
}

void Fill(const ReadReply& from, v1::ReadReplyHead& to) {}
Status Take(const v1::ReadReplyHead& from, ReadReply& to) { return Ok(); }

void Fill(const WriteReply& from, v1::WriteReply& to) {
  to.set_offset(from.offset);
  Fill(from.attr, *to.mutable_attr());
}
Status Take(const v1::WriteReply& from, WriteReply& to) {
  to.offset = from.offset();
  return Take(from.attr(), to.attr);
}

void Fill(const ReadDirReply& from, v1::ReadDirReply& to) {
  to.mutable_entries()->Reserve(static_cast<int>(from.entries.size()));
  for (const DirEntry& entry : from.entries) FillDirEntry(entry, *to.add_entries());
  to.set_end(from.end);
}
Status Take(const v1::ReadDirReply& from, ReadDirReply& to) {
  to.entries.resize(static_cast<size_t>(from.entries_size()));
  for (int i = 0; i < from.entries_size(); ++i) {
    RETURN_IF_ERROR(TakeDirEntry(from.entries(i), to.entries[static_cast<size_t>(i)]));
  }
  to.end = from.end();
  return Ok();
}

void Fill(const StatFsReply& from, v1::StatFsReply& to) {
  to.set_bytes_total(from.bytes_total);
  to.set_bytes_used(from.bytes_used);
  to.set_inodes_total(from.inodes_total);
  to.set_inodes_used(from.inodes_used);
}
Status Take(const v1::StatFsReply& from, StatFsReply& to) {
  to.bytes_total = from.bytes_total();
  to.bytes_used = from.bytes_used();
  to.inodes_total = from.inodes_total();
  to.inodes_used = from.inodes_used();
  return Ok();
}

void Fill(const GetXattrReply& from, v1::GetXattrReply& to) { to.set_value(from.value); }
Status Take(const v1::GetXattrReply& from, GetXattrReply& to) {
  to.value = from.value();
  return Ok();
}

void Fill(const ListXattrReply& from, v1::ListXattrReply& to) {
  to.mutable_names()->Assign(from.names.begin(), from.names.end());
}
Status Take(const v1::ListXattrReply& from, ListXattrReply& to) {
  to.names.assign(from.names().begin(), from.names().end());
  return Ok();
}

void Fill(const SeekReply& from, v1::SeekReply& to) { to.set_offset(from.offset); }
Status Take(const v1::SeekReply& from, SeekReply& to) {
  to.offset = from.offset();
  return Ok();
}

void Fill(const CopyRangeReply& from, v1::CopyRangeReply& to) { to.set_copied(from.copied); }
Status Take(const v1::CopyRangeReply& from, CopyRangeReply& to) {
  to.copied = from.copied();
  return Ok();
}

void Fill(const GetLockReply& from, v1::GetLockReply& to) {
  FillLock(from.conflict, *to.mutable_conflict());
}
Status Take(const v1::GetLockReply& from, GetLockReply& to) {
  return TakeLock(from.conflict(), to.conflict);
}

}  // namespace tarn::wire
