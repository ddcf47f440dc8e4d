// The system calls behind the verbs, as a worker process makes them.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <string_view>

#include "tests/posix/differential/op.h"
#include "tests/posix/differential/reply.h"

namespace tarn::differential {

// What a worker process holds.
struct Process {
  std::array<int, kSlots> descriptors;   // -1: closed
  std::array<int, kSlots> holders;       // further descriptors of what O_PATH ones lead to, or -1
  std::array<pid_t, kProcesses> pids{};  // of its side's workers, to name the holder of a lock
  int proc_fd = -1;                      // /proc/self/fd, opened before the chroot

  int Descriptor(const Op& op, int argument) const {
    return descriptors[static_cast<size_t>(op.number[static_cast<size_t>(argument)])];
  }
};

// The result of a call that sets errno.
Answer FromCall(int64_t result);

// By what the call is about; each handles the verbs that its .cc lists.
Answer CallDescriptor(const Op& op, Process& process);  // open, close, dup, lseek, flags
Answer CallContent(const Op& op, Process& process);     // read, write, truncate, copy, map, sync
Answer CallName(const Op& op, Process& process);        // mkdir, rename, link, readdir …
Answer CallAttribute(const Op& op, Process& process);   // chmod, chown, times, access, xattrs
Answer CallLock(const Op& op, Process& process);        // flock, fcntl locks

Answer Call(const Op& op, Process& process);

// Opens what `fd` is open on once more, for reading, without a trace in atime; -1 if it cannot be.
int Reopen(int fd, const Process& process);

// A hash of the bytes of `fd` from `start` to `end` that is the same however zeros are stored.
uint64_t HashContent(int fd, uint64_t start, uint64_t end);

uint64_t HashBytes(std::string_view bytes);

// True if all bytes of `fd` from `start` to `end` read as zero.
bool ReadsAsZero(int fd, uint64_t start, uint64_t end);

}  // namespace tarn::differential
