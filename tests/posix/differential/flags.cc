#include "tests/posix/differential/flags.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <charconv>
#include <span>

namespace tarn::differential {
namespace {

struct Flag {
  std::string_view name;
  int64_t value;
};

#define FLAG(name) \
  { #name, name }
// Values of several bits come before those that are a part of them.
constexpr Flag kOpenFlags[] = {
    FLAG(O_WRONLY), FLAG(O_RDWR),    FLAG(O_CREAT),     FLAG(O_EXCL),     FLAG(O_TRUNC),
    FLAG(O_APPEND), FLAG(O_TMPFILE), FLAG(O_DIRECTORY), FLAG(O_NOFOLLOW), FLAG(O_PATH),
    FLAG(O_SYNC),   FLAG(O_DSYNC),   FLAG(O_DIRECT),    FLAG(O_NOATIME),  FLAG(O_NONBLOCK)};
constexpr Flag kRenameFlags[] = {FLAG(RENAME_NOREPLACE), FLAG(RENAME_EXCHANGE),
                                 FLAG(RENAME_WHITEOUT)};
constexpr Flag kAllocateModes[] = {FLAG(FALLOC_FL_KEEP_SIZE), FLAG(FALLOC_FL_PUNCH_HOLE),
                                   FLAG(FALLOC_FL_ZERO_RANGE)};
constexpr Flag kXattrFlags[] = {FLAG(XATTR_CREATE), FLAG(XATTR_REPLACE)};
constexpr Flag kAccessBits[] = {FLAG(R_OK), FLAG(W_OK), FLAG(X_OK)};
constexpr Flag kAtFlags[] = {FLAG(AT_SYMLINK_NOFOLLOW), FLAG(AT_EACCESS), FLAG(AT_SYMLINK_FOLLOW)};
// Values that exclude each other.
constexpr Flag kWhences[] = {FLAG(SEEK_SET), FLAG(SEEK_CUR), FLAG(SEEK_END), FLAG(SEEK_DATA),
                             FLAG(SEEK_HOLE)};
constexpr Flag kLockTypes[] = {FLAG(F_RDLCK), FLAG(F_WRLCK), FLAG(F_UNLCK)};
constexpr Flag kFlockOperations[] = {FLAG(LOCK_SH), FLAG(LOCK_EX), FLAG(LOCK_UN)};
constexpr Flag kNodeTypes[] = {FLAG(S_IFIFO), FLAG(S_IFSOCK), FLAG(S_IFCHR),
                               FLAG(S_IFBLK), FLAG(S_IFREG),  FLAG(S_IFDIR)};
#undef FLAG

struct FlagSet {
  std::span<const Flag> flags;
  bool exclusive = false;
};

FlagSet SetOf(char kind) {
  switch (kind) {
    case 'O':
      return {kOpenFlags};
    case 'R':
      return {kRenameFlags};
    case 'A':
      return {kAllocateModes};
    case 'X':
      return {kXattrFlags};
    case 'a':
      return {kAccessBits};
    case 't':
      return {kAtFlags};
    case 'W':
      return {kWhences, true};
    case 'L':
      return {kLockTypes, true};
    case 'K':
      return {kFlockOperations, true};
    case 'T':
      return {kNodeTypes, true};
    default:
      return {};
  }
}

std::optional<int64_t> ParseOne(FlagSet set, std::string_view word) {
  for (const Flag& flag : set.flags) {
    if (flag.name == word) return flag.value;
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string FormatFlags(char kind, int64_t value) {
  const FlagSet set = SetOf(kind);
  if (set.exclusive) {
    for (const Flag& flag : set.flags) {
      if (flag.value == value) return std::string(flag.name);
    }
    return std::to_string(value);
  }
  std::string out;
  int64_t rest = value;
  for (const Flag& flag : set.flags) {
    if ((rest & flag.value) != flag.value) continue;
    rest &= ~flag.value;
    if (!out.empty()) out += '|';
    out += flag.name;
  }
  if (rest != 0 || out.empty()) out += (out.empty() ? "" : "|") + std::to_string(rest);
  return out;
}

std::optional<int64_t> ParseFlags(char kind, std::string_view text) {
  const FlagSet set = SetOf(kind);
  int64_t value = 0;
  while (!text.empty()) {
    const size_t bar = text.find('|');
    const std::optional<int64_t> part = ParseOne(set, text.substr(0, bar));
    if (!part) return std::nullopt;
    value |= *part;
    text = bar == std::string_view::npos ? std::string_view() : text.substr(bar + 1);
  }
  return value;
}

std::string ErrorName(int error) {
  if (error == 0) return "ok";
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : std::to_string(error);
}

}  // namespace tarn::differential
