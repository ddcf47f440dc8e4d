// flock, and fcntl's record locks of processes and of open file descriptions; never waiting.
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>

#include "tests/posix/differential/calls.h"
#include "tests/posix/differential/flags.h"

namespace tarn::differential {
namespace {

// The holder as this test knows it: process ids differ between the sides.
std::string Holder(pid_t pid, const Process& process) {
  const auto at = std::find(process.pids.begin(), process.pids.end(), pid);
  if (at != process.pids.end()) return "p" + std::to_string(at - process.pids.begin());
  return pid == -1 ? "description" : "stranger";
}

Answer RecordLock(const Op& op, const Process& process) {
  struct flock lock = {};
  lock.l_type = static_cast<short>(op.number[1]);
  lock.l_start = op.number[2];
  lock.l_len = op.number[3];
  lock.l_whence = static_cast<short>(op.number[4]);
  const bool get = op.verb == Verb::kGetLock || op.verb == Verb::kGetOfdLock;
  const bool ofd = op.verb == Verb::kSetOfdLock || op.verb == Verb::kGetOfdLock;
  const int command = ofd ? (get ? F_OFD_GETLK : F_OFD_SETLK) : (get ? F_GETLK : F_SETLK);
  Answer answer = FromCall(fcntl(process.Descriptor(op, 0), command, &lock));
  if (!get || answer.result < 0) return answer;
  answer.detail = FormatFlags('L', lock.l_type);
  if (lock.l_type != F_UNLCK) {
    answer.detail += " " + std::to_string(lock.l_start) + "+" + std::to_string(lock.l_len) +
                     " whence " + std::to_string(lock.l_whence) + " of " +
                     Holder(lock.l_pid, process);
  }
  return answer;
}

}  // namespace

Answer CallLock(const Op& op, Process& process) {
  if (op.verb != Verb::kFlock) return RecordLock(op, process);
  return FromCall(flock(process.Descriptor(op, 0), static_cast<int>(op.number[1]) | LOCK_NB));
}

}  // namespace tarn::differential
