#include "tests/posix/differential/side.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/posix/differential/wire.h"
#include "tests/posix/differential/worker.h"

namespace tarn::differential {
namespace {

constexpr int kAnswerTimeoutMs = 120'000;
constexpr int kEndTimeoutMs = 3'000;

// Waits for a child that has been told to end, in the end with SIGKILL. False for one that hangs in
// the file system and does not even die of that: it is left behind.
bool WaitForEnd(pid_t pid) {
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return false;
  pollfd wait{pidfd, POLLIN, 0};
  if (poll(&wait, 1, kEndTimeoutMs) == 0) {
    kill(pid, SIGKILL);
    poll(&wait, 1, kEndTimeoutMs);
  }
  close(pidfd);
  return waitpid(pid, nullptr, WNOHANG) == pid;
}

}  // namespace

Side::Side(std::string base, std::string_view injection)
    : base_(std::move(base)), injection_(injection) {}

bool Side::Start() {
  directory_ = base_ + "/differential-XXXXXX";
  if (mkdtemp(directory_.data()) == nullptr || chmod(directory_.c_str(), 0777) != 0) return false;
  for (Peer& peer : peers_) {
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) return false;
    peer.pid = fork();
    if (peer.pid < 0) return false;
    if (peer.pid == 0) {
      close(sockets[0]);
      for (const Peer& other : peers_) {
        if (other.socket >= 0) close(other.socket);
      }
      RunWorker(sockets[1], directory_, injection_);
    }
    close(sockets[1]);
    peer.socket = sockets[0];
  }
  std::string frame;
  Put(Message::kPeers, &frame);
  for (const Peer& peer : peers_) Put(peer.pid, &frame);
  for (const Peer& peer : peers_) SendFrame(peer.socket, frame);
  return true;
}

Side::~Side() {
  for (const Peer& peer : peers_) {
    if (peer.socket >= 0) close(peer.socket);
  }
  bool ended = true;
  for (const Peer& peer : peers_) {
    if (peer.pid > 0) ended = WaitForEnd(peer.pid) && ended;
  }
  std::error_code ignored;
  if (ended && !directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

void Side::SendSteps(int process, std::span<const Op> ops) {
  std::string frame;
  Put(Message::kSteps, &frame);
  for (const Op& op : ops) EncodeOp(op, &frame);
  SendFrame(peers_[static_cast<size_t>(process)].socket, frame);
}

std::optional<std::vector<Reply>> Side::ReceiveSteps(int process, size_t count) {
  std::string frame;
  if (!ReceiveFrame(peers_[static_cast<size_t>(process)].socket, kAnswerTimeoutMs, &frame)) {
    return std::nullopt;
  }
  std::string_view in(frame);
  std::vector<Reply> replies;
  for (size_t i = 0; i < count; ++i) replies.push_back(DecodeReply(&in));
  return replies;
}

void Side::SendTree() {
  std::string frame;
  Put(Message::kTree, &frame);
  SendFrame(peers_[0].socket, frame);
}

std::optional<Reply> Side::ReceiveTree() {
  std::optional<std::vector<Reply>> replies = ReceiveSteps(0, 1);
  if (!replies) return std::nullopt;
  return std::move(replies->front());
}

}  // namespace tarn::differential
