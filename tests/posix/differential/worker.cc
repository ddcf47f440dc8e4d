#include "tests/posix/differential/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "tests/posix/differential/inject.h"
#include "tests/posix/differential/observer.h"
#include "tests/posix/differential/wire.h"

namespace tarn::differential {
namespace {

[[noreturn]] void Die(const char* what) {
  perror(what);
  _exit(1);
}

class Worker {
 public:
  Worker(int socket, std::string_view injection) : socket_(socket), injection_(injection) {
    process_.descriptors.fill(-1);
    process_.holders.fill(-1);
  }

  void Enter(const std::string& root) {
    process_.proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process_.proc_fd < 0) Die("/proc/self/fd");
    // Nothing that a step names, however many ".." and symbolic links it has, is outside.
    if (chdir(root.c_str()) != 0 || chroot(".") != 0) Die(root.c_str());
    umask(022);
  }

  void Serve() {
    std::string frame;
    while (ReceiveFrame(socket_, -1, &frame)) {
      std::string_view in(frame);
      std::string out;
      switch (Take<Message>(&in)) {
        case Message::kPeers:
          for (pid_t& pid : process_.pids) pid = Take<pid_t>(&in);
          continue;
        case Message::kSteps:
          while (!in.empty()) EncodeReply(Run(DecodeOp(&in)), &out);
          break;
        case Message::kTree: {
          Reply reply{{}, ObserveTree(process_)};
          Inject(injection_, nullptr, &reply);
          EncodeReply(reply, &out);
          break;
        }
      }
      if (!SendFrame(socket_, out)) return;
    }
  }

 private:
  Reply Run(const Op& op) {
    LetGoOfNameless();
    Become(op.user);
    Reply reply{Call(op, process_), {}};
    Become(0);
    if (op.verb == Verb::kOpen || op.verb == Verb::kDup || op.verb == Verb::kClose) HoldPaths(op);
    reply.objects = ObserveStep(op, reply.answer, process_);
    if (!injection_.empty()) Inject(injection_, &op, &reply);
    return reply;
  }

  // FUSE tells no daemon of O_PATH descriptors and of those of FIFOs, so an inode without a name
  // goes, some seconds later, though they lead to it. What can be opened is held besides. Of the
  // rest both sides let go as soon as the name is gone.
  void HoldPaths(const Op& op) {
    for (const int slot : op.SlotsUsed()) {
      int& fd = process_.descriptors[static_cast<size_t>(slot)];
      int& holder = process_.holders[static_cast<size_t>(slot)];
      if (holder >= 0) close(std::exchange(holder, -1));
      struct stat st;
      if (fd < 0 || fstat(fd, &st) != 0) continue;
      unknown_[static_cast<size_t>(slot)] = !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
      if (unknown_[static_cast<size_t>(slot)] || (fcntl(fd, F_GETFL) & O_PATH) == 0) continue;
      holder = Reopen(fd, process_);
    }
  }
  void LetGoOfNameless() {
    for (size_t slot = 0; slot < kSlots; ++slot) {
      int& fd = process_.descriptors[slot];
      struct stat st;
      if (fd < 0 || !unknown_[slot]) continue;
      if (fstat(fd, &st) != 0 || st.st_nlink == 0) close(std::exchange(fd, -1));
    }
  }

  // The saved id stays root's, so that there is a way back.
  void Become(uint8_t index) {
    if (user_ == index) return;
    const User& user = Users()[index];
    if (user_ != 0 && (setresuid(0, 0, 0) != 0 || setresgid(0, 0, 0) != 0)) Die("setresuid");
    if (setgroups(user.groups.size(), user.groups.data()) != 0 ||
        setresgid(user.gid, user.gid, 0) != 0 || setresuid(user.uid, user.uid, 0) != 0) {
      Die("setresuid");
    }
    user_ = index;
  }

  const int socket_;
  const std::string_view injection_;
  Process process_;
  uint8_t user_ = 0;
  std::array<bool, kSlots> unknown_{};  // descriptors that a daemon is not told of
};

bool SendAll(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = write(socket, bytes.data(), bytes.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool ReceiveAll(int socket, int timeout_ms, char* out, size_t size) {
  while (size > 0) {
    pollfd wait{socket, POLLIN, 0};
    if (timeout_ms >= 0 && poll(&wait, 1, timeout_ms) == 0) return false;
    const ssize_t got = read(socket, out, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

bool SendFrame(int socket, std::string_view frame) {
  std::string bytes;
  PutText(frame, &bytes);
  return SendAll(socket, bytes);
}

bool ReceiveFrame(int socket, int timeout_ms, std::string* frame) {
  uint32_t size = 0;
  if (!ReceiveAll(socket, timeout_ms, reinterpret_cast<char*>(&size), sizeof(size))) return false;
  frame->resize(size);
  return ReceiveAll(socket, timeout_ms, frame->data(), size);
}

void RunWorker(int socket, const std::string& root, std::string_view injection) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  Worker worker(socket, injection);
  worker.Enter(root);
  worker.Serve();
  _exit(0);
}

}  // namespace tarn::differential
