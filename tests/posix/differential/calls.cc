#include "tests/posix/differential/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

namespace tarn::differential {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kChunk = 256 * 1024;
constexpr uint64_t kReadWhole = 1024 * 1024;  // up to here holes are not asked for

bool IsZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

// Calls visit(offset, bytes) for pieces of at most a page of [start, end) until it returns false.
template <class Visit>
bool VisitPages(int fd, uint64_t start, uint64_t end, Visit visit) {
  std::string buffer(kChunk, '\0');
  const bool skip_holes = end - start > kReadWhole;
  for (uint64_t at = start; at < end;) {
    if (skip_holes) {
      const off_t data = lseek(fd, static_cast<off_t>(at), SEEK_DATA);
      if (data < 0) break;
      at = std::max(at, static_cast<uint64_t>(data));
      if (at >= end) break;
    }
    const uint64_t want = std::min(kChunk - at % kPage, end - at);
    const ssize_t got = pread(fd, buffer.data(), want, static_cast<off_t>(at));
    if (got <= 0) return got == 0;
    for (uint64_t done = 0; done < static_cast<uint64_t>(got);) {
      const uint64_t piece =
          std::min(kPage - (at + done) % kPage, static_cast<uint64_t>(got) - done);
      if (!visit(at + done, std::string_view(buffer).substr(done, piece))) return false;
      done += piece;
    }
    at += static_cast<uint64_t>(got);
  }
  return true;
}

// Opening a device nobody drives makes the kernel look for a module, and a mount without `dev`
// answers another errno: not what is to be compared. True if `op` would do that.
bool OpensDevice(const Op& op) {
  if (op.verb != Verb::kOpen || (op.number[1] & O_PATH) != 0) return false;
  struct stat st;
  return fstatat(AT_FDCWD, op.text[0].c_str(), &st, 0) == 0 &&
         (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

}  // namespace

Answer FromCall(int64_t result) {
  return {result, result < 0 ? errno : 0, {}};
}

uint64_t HashBytes(std::string_view bytes) {
  return std::hash<std::string_view>{}(bytes);
}

uint64_t HashContent(int fd, uint64_t start, uint64_t end) {
  uint64_t hash = 0;
  const bool complete = VisitPages(fd, start, end, [&](uint64_t offset, std::string_view bytes) {
    // A sum, so that pieces that are only zeros need not take part.
    if (!IsZero(bytes)) hash += HashBytes(bytes) * (2 * offset + 1);
    return true;
  });
  return complete ? hash : ~hash;
}

bool ReadsAsZero(int fd, uint64_t start, uint64_t end) {
  return VisitPages(fd, start, end, [](uint64_t, std::string_view bytes) { return IsZero(bytes); });
}

int Reopen(int fd, const Process& process) {
  if (fd < 0) return -1;
  return openat(process.proc_fd, std::to_string(fd).c_str(),
                O_RDONLY | O_NOATIME | O_NONBLOCK | O_CLOEXEC);
}

Answer Call(const Op& op, Process& process) {
  if (OpensDevice(op)) return {-1, ENXIO, "device"};
  switch (op.verb) {
    case Verb::kOpen:
    case Verb::kLinkDescriptor:
    case Verb::kClose:
    case Verb::kDup:
    case Verb::kSeek:
    case Verb::kSetFlags:
    case Verb::kStatDescriptor:
    case Verb::kUmask:
      return CallDescriptor(op, process);
    case Verb::kRead:
    case Verb::kPositionalRead:
    case Verb::kVectorRead:
    case Verb::kWrite:
    case Verb::kPositionalWrite:
    case Verb::kVectorWrite:
    case Verb::kAppendWrite:
    case Verb::kTruncate:
    case Verb::kTruncateDescriptor:
    case Verb::kAllocate:
    case Verb::kCopyRange:
    case Verb::kSendFile:
    case Verb::kMapWrite:
    case Verb::kFsync:
    case Verb::kFdatasync:
      return CallContent(op, process);
    case Verb::kMakeDir:
    case Verb::kRemoveDir:
    case Verb::kRename:
    case Verb::kLink:
    case Verb::kSymLink:
    case Verb::kUnlink:
    case Verb::kMakeNode:
    case Verb::kRemoveTree:
    case Verb::kReadLink:
    case Verb::kReadDir:
      return CallName(op, process);
    case Verb::kFlock:
    case Verb::kSetLock:
    case Verb::kGetLock:
    case Verb::kSetOfdLock:
    case Verb::kGetOfdLock:
      return CallLock(op, process);
    default:
      return CallAttribute(op, process);
  }
}

}  // namespace tarn::differential
