// chmod, chown, utimensat, faccessat, stat, xattrs.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "tests/posix/differential/calls.h"

namespace tarn::differential {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

timespec ToTimespec(int64_t ns) {
  if (ns == kOmitTime) return {0, UTIME_OMIT};
  if (ns == kTimeNow) return {0, UTIME_NOW};
  int64_t seconds = ns / kSecond, rest = ns % kSecond;
  if (rest < 0) {
    --seconds;
    rest += kSecond;
  }
  return {seconds, rest};
}

Answer SetTimes(const Op& op, const Process& process) {
  if (op.verb == Verb::kSetTimes) {
    const timespec times[] = {ToTimespec(op.number[0]), ToTimespec(op.number[1])};
    return FromCall(utimensat(AT_FDCWD, op.text[0].c_str(), times, static_cast<int>(op.number[2])));
  }
  const timespec times[] = {ToTimespec(op.number[1]), ToTimespec(op.number[2])};
  return FromCall(futimens(process.Descriptor(op, 0), times));
}

Answer GetXattr(const Op& op) {
  char value[8192];
  Answer answer = FromCall(getxattr(op.text[0].c_str(), op.text[1].c_str(), value, sizeof(value)));
  if (answer.result >= 0) answer.detail.assign(value, static_cast<size_t>(answer.result));
  return answer;
}

Answer ListXattr(const Op& op) {
  char names[8192];
  Answer answer = FromCall(listxattr(op.text[0].c_str(), names, sizeof(names)));
  if (answer.result < 0) return answer;
  std::vector<std::string> sorted;
  for (std::string_view rest(names, static_cast<size_t>(answer.result)); !rest.empty();) {
    sorted.emplace_back(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(sorted.back().size() + 1);
  }
  std::sort(sorted.begin(), sorted.end());
  for (const std::string& name : sorted) answer.detail += Quote(name) + ' ';
  return answer;
}

Answer SetXattr(const Op& op, const Process& process) {
  const char* path = op.text[0].c_str();
  const char* name = op.text[1].c_str();
  const std::string& value = op.text[2];
  switch (op.verb) {
    case Verb::kSetXattr:
      return FromCall(
          setxattr(path, name, value.data(), value.size(), static_cast<int>(op.number[0])));
    case Verb::kSetXattrLink:
      return FromCall(
          lsetxattr(path, name, value.data(), value.size(), static_cast<int>(op.number[0])));
    default:  // kSetXattrDescriptor: texts are name and value
      return FromCall(fsetxattr(process.Descriptor(op, 0), path, op.text[1].data(),
                                op.text[1].size(), static_cast<int>(op.number[1])));
  }
}

uid_t Id(int64_t number) {
  return static_cast<uid_t>(number);
}

}  // namespace

Answer CallAttribute(const Op& op, Process& process) {
  const char* path = op.text[0].c_str();
  const auto& number = op.number;
  struct stat st;
  switch (op.verb) {
    case Verb::kChangeMode:
      return FromCall(chmod(path, static_cast<mode_t>(number[0])));
    case Verb::kChangeModeDescriptor:
      return FromCall(fchmod(process.Descriptor(op, 0), static_cast<mode_t>(number[1])));
    case Verb::kChangeOwner:
      return FromCall(chown(path, Id(number[0]), Id(number[1])));
    case Verb::kChangeOwnerLink:
      return FromCall(lchown(path, Id(number[0]), Id(number[1])));
    case Verb::kChangeOwnerDescriptor:
      return FromCall(fchown(process.Descriptor(op, 0), Id(number[1]), Id(number[2])));
    case Verb::kSetTimes:
    case Verb::kSetTimesDescriptor:
      return SetTimes(op, process);
    case Verb::kAccess:
      return FromCall(
          faccessat(AT_FDCWD, path, static_cast<int>(number[0]), static_cast<int>(number[1])));
    case Verb::kStat:
      return FromCall(stat(path, &st));
    case Verb::kStatLink:
      return FromCall(lstat(path, &st));
    case Verb::kGetXattr:
      return GetXattr(op);
    case Verb::kListXattr:
      return ListXattr(op);
    case Verb::kRemoveXattr:
      return FromCall(removexattr(path, op.text[1].c_str()));
    default:
      return SetXattr(op, process);
  }
}

}  // namespace tarn::differential
