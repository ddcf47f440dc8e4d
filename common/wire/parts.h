// What the conversions share: parts of messages and the checks of what arrives. Private to
// common/wire. The checks' error is EINVAL.
#pragma once

#include "common/wire/convert.h"

namespace tarn::wire {

inline constexpr uint32_t kUmaskBits = 0777;

Error Invalid(const char* what);
Status CheckMode(uint32_t mode);
Status CheckOffset(uint64_t offset);
// [offset, offset + length) must lie within what an off_t can say.
Status CheckSpan(uint64_t offset, uint64_t length);

Result<FileType> FileTypeOf(v1::FileType from);
void FillLock(const FileLock& from, v1::FileLock& to);
Status TakeLock(const v1::FileLock& from, FileLock& to);

// Values of our own enumerations run from 0 to `last` without a gap.
template <class E>
Result<E> EnumOf(uint32_t value, E last) {
  if (value > static_cast<uint32_t>(last)) return Invalid("unknown enumeration value");
  return static_cast<E>(value);
}

// Where a new inode goes and what its permissions start from.
template <class Args, class Message>
void FillNew(const Args& from, Message& to) {
  Fill(from.dir, *to.mutable_dir());
  to.set_mode(from.mode);
  to.set_umask(from.umask);
}

template <class Args, class Message>
Status TakeNew(const Message& from, Args& to) {
  to.dir = HandleOf(from.dir());
  to.mode = from.mode();
  to.umask = from.umask() & kUmaskBits;
  return CheckMode(to.mode);
}

// A name in a directory.
template <class Args, class Message>
void FillNamed(const Args& from, Message& to) {
  Fill(from.dir, *to.mutable_dir());
  to.set_name(from.name);
}

template <class Args, class Message>
Status TakeNamed(const Message& from, Args& to) {
  to.dir = HandleOf(from.dir());
  to.name = from.name();
  return Ok();
}

// An inode and the open through which it is used.
template <class Args, class Message>
void FillOpened(const Args& from, Message& to) {
  Fill(from.inode, *to.mutable_inode());
  to.set_open(Raw(from.open));
}

template <class Args, class Message>
void TakeOpened(const Message& from, Args& to) {
  to.inode = HandleOf(from.inode());
  to.open = OpenId{from.open()};
}

}  // namespace tarn::wire
