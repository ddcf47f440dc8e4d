// read, write, truncate, fallocate, copy_file_range, sendfile, mmap, fsync.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "tests/posix/differential/calls.h"

namespace tarn::differential {
namespace {

constexpr size_t kPage = 4096;

struct FreeDeleter {
  void operator()(char* p) const { free(p); }
};

// Memory for O_DIRECT, which ext4 wants aligned.
class Buffer {
 public:
  explicit Buffer(size_t size)
      : memory_(static_cast<char*>(aligned_alloc(kPage, (size / kPage + 1) * kPage))),
        size_(size) {}

  // Bytes that depend on `seed` and their place only.
  void Fill(int64_t seed) {
    uint64_t state = static_cast<uint64_t>(seed) * 0x9e3779b97f4a7c15 + 1;
    for (size_t i = 0; i < size_; ++i) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      memory_.get()[i] = static_cast<char>(state);
    }
  }
  char* data() { return memory_.get(); }
  std::string_view First(size_t size) const { return {memory_.get(), size}; }

 private:
  std::unique_ptr<char, FreeDeleter> memory_;
  size_t size_;
};

bool IsDirect(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) != 0;
}

// O_DIRECT on ext4 takes whole sectors only; both sides are asked the same.
int64_t Align(int fd, int64_t value) {
  return IsDirect(fd) ? value / static_cast<int64_t>(kPage) * static_cast<int64_t>(kPage) : value;
}

// The same for steps that use the position: it is moved back to where ext4 would take it. False if
// the step would append at an odd place.
bool AlignPosition(int fd, bool append) {
  if (!IsDirect(fd)) return true;
  struct stat st;
  if (append || (fcntl(fd, F_GETFL) & O_APPEND) != 0) {
    return fstat(fd, &st) != 0 || st.st_size % static_cast<off_t>(kPage) == 0;
  }
  const off_t position = lseek(fd, 0, SEEK_CUR);
  if (position > 0) lseek(fd, Align(fd, position), SEEK_SET);
  return true;
}

Answer WithData(int64_t result, const Buffer& buffer) {
  Answer answer = FromCall(result);
  if (result <= 0) return answer;
  const std::string_view data = buffer.First(static_cast<size_t>(result));
  answer.detail =
      "data hash " + std::to_string(HashBytes(data)) + " begins " + Quote(data.substr(0, 16));
  return answer;
}

Answer Read(const Op& op, int fd) {
  if (op.verb != Verb::kPositionalRead) AlignPosition(fd, false);
  const int64_t size = Align(fd, op.number[1]);
  if (op.verb == Verb::kVectorRead) {
    const int64_t second = Align(fd, op.number[2]);
    Buffer buffer(static_cast<size_t>(size + second));
    const iovec parts[] = {{buffer.data(), static_cast<size_t>(size)},
                           {buffer.data() + size, static_cast<size_t>(second)}};
    return WithData(readv(fd, parts, 2), buffer);
  }
  Buffer buffer(static_cast<size_t>(size));
  if (op.verb == Verb::kRead) {
    return WithData(read(fd, buffer.data(), static_cast<size_t>(size)), buffer);
  }
  return WithData(pread(fd, buffer.data(), static_cast<size_t>(size), Align(fd, op.number[2])),
                  buffer);
}

Answer Write(const Op& op, int fd) {
  if (!AlignPosition(fd, op.verb == Verb::kAppendWrite)) return {-1, EINVAL, "unaligned"};
  const size_t size = static_cast<size_t>(Align(fd, op.number[1]));
  Buffer buffer(size + static_cast<size_t>(op.number[2]) * (op.verb == Verb::kVectorWrite));
  switch (op.verb) {
    case Verb::kWrite:
      buffer.Fill(op.number[2]);
      return FromCall(write(fd, buffer.data(), size));
    case Verb::kPositionalWrite:
      buffer.Fill(op.number[3]);
      return FromCall(pwrite(fd, buffer.data(), size, Align(fd, op.number[2])));
    case Verb::kVectorWrite: {
      buffer.Fill(op.number[3]);
      const iovec parts[] = {{buffer.data(), size},
                             {buffer.data() + size, static_cast<size_t>(Align(fd, op.number[2]))}};
      return FromCall(writev(fd, parts, 2));
    }
    default: {  // kAppendWrite
      buffer.Fill(op.number[2]);
      const iovec part{buffer.data(), size};
      return FromCall(pwritev2(fd, &part, 1, 0, RWF_APPEND));
    }
  }
}

// A store through a shared mapping, kept inside the file: beyond it is SIGBUS, tested elsewhere.
Answer MapWrite(const Op& op, int fd) {
  const int64_t offset = op.number[1];
  const int64_t base = offset / static_cast<int64_t>(kPage) * static_cast<int64_t>(kPage);
  struct stat st;
  if (fstat(fd, &st) != 0) return FromCall(-1);
  const int64_t end = std::min<int64_t>(offset + op.number[2], st.st_size);
  const size_t length = static_cast<size_t>(std::max<int64_t>(end - base, 1));
  void* map = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, base);
  if (map == MAP_FAILED) return FromCall(-1);
  Answer answer;
  if (end > offset) {
    Buffer buffer(static_cast<size_t>(end - offset));
    buffer.Fill(op.number[3]);
    std::copy_n(buffer.data(), end - offset, static_cast<char*>(map) + (offset - base));
    answer = FromCall(msync(map, length, MS_SYNC));
  }
  munmap(map, length);
  return answer;
}

// How much one call copies is up to the kernel; the sum is not.
Answer CopyRange(const Op& op, const Process& process) {
  const int in = process.Descriptor(op, 0), out = process.Descriptor(op, 1);
  if (IsDirect(in) || IsDirect(out)) return {-1, EINVAL, "direct"};
  loff_t from = op.number[2], to = op.number[3];
  int64_t left = op.number[4], done = 0;
  while (left > 0) {
    const ssize_t copied = copy_file_range(in, &from, out, &to, static_cast<size_t>(left), 0);
    if (copied < 0 && done == 0) return FromCall(copied);
    if (copied <= 0) break;
    left -= copied;
    done += copied;
  }
  return {done, 0, {}};
}

Answer SendFile(const Op& op, const Process& process) {
  const int out = process.Descriptor(op, 0), in = process.Descriptor(op, 1);
  struct stat from_stat, to_stat;
  if (fstat(in, &from_stat) == 0 && fstat(out, &to_stat) == 0 &&
      from_stat.st_ino == to_stat.st_ino) {
    return {-1, EINVAL, "itself"};
  }
  if (IsDirect(in) || IsDirect(out)) return {-1, EINVAL, "direct"};
  off_t from = op.number[2];
  int64_t left = op.number[3], done = 0;
  while (left > 0) {
    const ssize_t copied = sendfile(out, in, &from, static_cast<size_t>(left));
    if (copied < 0 && done == 0) return FromCall(copied);
    if (copied <= 0) break;
    left -= copied;
    done += copied;
  }
  return {done, 0, {}};
}

}  // namespace

Answer CallContent(const Op& op, Process& process) {
  const auto& number = op.number;
  const int fd = op.verb == Verb::kTruncate ? -1 : process.Descriptor(op, 0);
  switch (op.verb) {
    case Verb::kRead:
    case Verb::kPositionalRead:
    case Verb::kVectorRead:
      return Read(op, fd);
    case Verb::kTruncate:
      return FromCall(truncate(op.text[0].c_str(), number[0]));
    case Verb::kTruncateDescriptor:
      return FromCall(ftruncate(fd, number[1]));
    case Verb::kAllocate:
      return FromCall(fallocate(fd, static_cast<int>(number[1]), number[2], number[3]));
    case Verb::kCopyRange:
      return CopyRange(op, process);
    case Verb::kSendFile:
      return SendFile(op, process);
    case Verb::kMapWrite:
      return MapWrite(op, fd);
    case Verb::kFsync:
      return FromCall(fsync(fd));
    case Verb::kFdatasync:
      return FromCall(fdatasync(fd));
    default:
      return Write(op, fd);
  }
}

}  // namespace tarn::differential
