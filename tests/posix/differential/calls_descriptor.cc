// open, linkfd, close, dup, lseek, fcntl_setfl, fstat, umask.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tests/posix/differential/calls.h"

namespace tarn::differential {
namespace {

// Puts `fd` into a slot, closing what was there. The number itself is not compared.
Answer Keep(int fd, int64_t slot, Process& process) {
  Answer answer = FromCall(fd);
  if (fd < 0) return answer;
  int& place = process.descriptors[static_cast<size_t>(slot)];
  if (place >= 0) close(place);
  place = fd;
  answer.result = 0;
  return answer;
}

Answer Close(const Op& op, Process& process) {
  int& place = process.descriptors[static_cast<size_t>(op.number[0])];
  const Answer answer = FromCall(close(place));
  place = -1;
  return answer;
}

bool IsHole(int fd, off_t start, off_t end) {
  return ReadsAsZero(fd, static_cast<uint64_t>(start), static_cast<uint64_t>(end));
}

// Where SEEK_DATA and SEEK_HOLE land depends on the size of blocks: each side's answer is checked
// against its own content instead, and only what cannot differ is reported.
Answer SeekHole(int fd, off_t offset, int whence, Process& process) {
  const Answer found = FromCall(lseek(fd, offset, whence));
  struct stat st;
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || offset < 0 || offset >= st.st_size) {
    return found;
  }
  lseek(fd, 0, SEEK_SET);
  const int reader = Reopen(fd, process);
  Answer answer{0, 0, "right"};
  if (found.result < 0 && !(whence == SEEK_DATA && found.error == ENXIO)) {
    answer = found;
  } else if (found.result >= 0 && (found.result < offset || found.result > st.st_size)) {
    answer.detail = "wrong: " + std::to_string(found.result) + " is out of bounds";
  } else if (whence == SEEK_DATA) {
    const off_t end = found.result < 0 ? st.st_size : found.result;
    // A gap too long to be read was made by truncation; its first and last MiB tell enough.
    const off_t first = std::min<off_t>(end, offset + (1 << 20));
    const off_t last = std::max<off_t>(offset, end - (1 << 20));
    if (reader >= 0 && !(IsHole(reader, offset, first) && IsHole(reader, last, end))) {
      answer.detail = "wrong: data before " + std::to_string(end);
    }
  } else if (found.result < st.st_size && reader >= 0 &&
             !IsHole(reader, found.result, found.result + 1)) {
    answer.detail = "wrong: data in the hole at " + std::to_string(found.result);
  }
  if (reader >= 0) close(reader);
  return answer;
}

}  // namespace

Answer CallDescriptor(const Op& op, Process& process) {
  const auto& number = op.number;
  switch (op.verb) {
    case Verb::kOpen:
      return Keep(open(op.text[0].c_str(), static_cast<int>(number[1]) | O_NONBLOCK | O_CLOEXEC,
                       static_cast<mode_t>(number[2])),
                  number[0], process);
    case Verb::kLinkDescriptor:
      return FromCall(
          linkat(process.Descriptor(op, 0), "", AT_FDCWD, op.text[0].c_str(), AT_EMPTY_PATH));
    case Verb::kClose:
      return Close(op, process);
    case Verb::kDup:
      if (number[0] == number[1]) return {};
      return Keep(fcntl(process.Descriptor(op, 0), F_DUPFD_CLOEXEC, 0), number[1], process);
    case Verb::kSeek: {
      const int fd = process.Descriptor(op, 0);
      const int whence = static_cast<int>(number[2]);
      struct stat st;
      // The end of a directory, and what a hole in it is, are the file system's own business.
      if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) return {};
      if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        return SeekHole(fd, number[1], whence, process);
      }
      return FromCall(lseek(fd, number[1], whence));
    }
    case Verb::kSetFlags:
      return FromCall(
          fcntl(process.Descriptor(op, 0), F_SETFL, static_cast<int>(number[1]) | O_NONBLOCK));
    case Verb::kStatDescriptor: {
      struct stat st;
      return FromCall(fstat(process.Descriptor(op, 0), &st));
    }
    default:  // kUmask
      return {umask(static_cast<mode_t>(number[0])), 0, {}};
  }
}

}  // namespace tarn::differential
