#include "tests/support/real_daemon.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace tarn::testing {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket that closes itself.
class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() { close(fd_); }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

[[noreturn]] void Fail(const std::string& what, const std::string& log) {
  std::fprintf(stderr, "%s; its log:\n%s\n", what.c_str(), ReadLog(log).c_str());
  std::abort();
}

}  // namespace

std::string TarndPath() {
  return TARN_TARND;
}
std::string TarnPath() {
  return TARN_TARN;
}

int FreePort() {
  const Socket s;
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(s.fd(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(s.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("bind");
    std::abort();
  }
  return ntohs(address.sin_port);
}

bool CanMount() {
  if (geteuid() != 0) {
    std::puts("not root: no mounts");
    return false;
  }
  if (access("/dev/fuse", R_OK | W_OK) != 0) {
    std::puts("/dev/fuse is missing: no mounts");
    return false;
  }
  return true;
}

std::string ReadLog(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

RealServer::RealServer(Options options)
    : state_dir_(options.state_dir.empty() ? dir_ / "state" : options.state_dir),
      log_(dir_ / "tarnd.log"),
      flags_(std::move(options.flags)),
      lan_(options.lan),
      host_(lan_ == nullptr ? "127.0.0.1" : lan_->address(0)) {
  Start();
}

bool RealServer::Accepts() const {
  bool accepts = false;
  const auto look = [&] {
    const Socket s;
    sockaddr_in address = Loopback(port_);
    accepts = inet_pton(AF_INET, host_.c_str(), &address.sin_addr) == 1 &&
              connect(s.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  };
  if (lan_ == nullptr) {
    look();
  } else {
    lan_->Run(0, look);
  }
  return accepts;
}

void RealServer::Start(const std::string& faults) {
  std::vector<std::string> argv;
  if (lan_ != nullptr) argv = lan_->Inside(0);
  for (const std::string& word :
       {std::string("/usr/bin/env"), "TARN_FAULTS=" + faults, TarndPath(), std::string("--state"),
        state_dir_, std::string("--listen"), address()}) {
    argv.push_back(word);
  }
  if (lan_ != nullptr) argv.emplace_back("--insecure");
  argv.insert(argv.end(), flags_.begin(), flags_.end());
  process_ = std::make_unique<ChildProcess>(argv, log_);
  Eventually([this] { return !process_->running() || Accepts(); });
  if (!faults.empty() && !process_->running()) return;
  if (!process_->running() || !Accepts()) Fail("tarnd did not start", log_);
}

void RealServer::KillHard() {
  process_->Kill();
}

int RealServer::StopCleanly() {
  process_->Signal(SIGTERM);
  const auto status = process_->Wait();
  if (!status) Fail("tarnd does not stop", log_);
  return *status;
}

RealMount::RealMount(const std::string& spec, std::vector<std::string> flags,
                     const std::string& faults, std::vector<std::string> inside)
    : path_(dir_ / "mnt"), log_(dir_ / "tarn.log"), argv_(std::move(inside)) {
  mkdir(path_.c_str(), 0755);
  for (const std::string& word :
       {std::string("/usr/bin/env"), "TARN_FAULTS=" + faults, TarnPath(), std::string("mount"),
        spec, path_, std::string("--foreground")}) {
    argv_.push_back(word);
  }
  argv_.insert(argv_.end(), flags.begin(), flags.end());
  Start();
}

void RealMount::Start() {
  client_ = std::make_unique<ChildProcess>(argv_, log_);
  Eventually([this] { return mounted() || !client_->running(); });
  if (!mounted()) Fail(path_ + " was not mounted", log_);
}

void RealMount::Remount() {
  umount2(path_.c_str(), MNT_DETACH);
  Start();
}

RealMount::~RealMount() {
  umount2(path_.c_str(), MNT_DETACH);
  client_->Signal(SIGTERM);
  client_->Wait();
}

bool RealMount::mounted() const {
  // The parent's view, so that a daemon that hangs cannot hang this.
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" " + path_ + " ") != std::string::npos) return true;
  }
  return false;
}

}  // namespace tarn::testing
