#include "server/rpc/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/log.h"

namespace tarn::rpc {
namespace {

constexpr rlim_t kForFilesMax = 1024;
// What was sent and not acknowledged for so long ends the connection: as long as gRPC waits for an
// answer to its keepalives.
constexpr unsigned kUnacknowledgedMillis = 5000;
constexpr int kAgainMillis = 100;

Error Bad(const std::string& why) { return {Errno::kEINVAL, why}; }

Error SystemError() { return {Errno::kEBUSY, strerror(errno)}; }

int PortOf(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

struct AddressesDeleter {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

}  // namespace

int LastForConnections(rlim_t limit) {
  const rlim_t last = limit - std::min(limit / 4, kForFilesMax);
  return static_cast<int>(std::min<rlim_t>(last, INT32_MAX));
}

Listener::Listener()
    : wake_(eventfd(0, EFD_CLOEXEC)), spare_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

Listener::~Listener() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    while (write(wake_, &one, sizeof one) < 0 && errno == EINTR) {
    }
    thread_.join();
  }
  for (const int fd : listening_) close(fd);
  if (spare_ >= 0) close(spare_);
  if (wake_ >= 0) close(wake_);
}

Result<std::unique_ptr<Listener>> Listener::Bind(const std::string& address) {
  std::unique_ptr<Listener> listener(new Listener());
  if (listener->wake_ < 0) return SystemError();
  constexpr std::string_view kUnix = "unix:";
  if (address.starts_with(kUnix)) {
    RETURN_IF_ERROR(listener->BindUnix(address.substr(kUnix.size())));
    return listener;
  }
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) {
    return Bad("expected ADDRESS:PORT or unix:PATH");
  }
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  RETURN_IF_ERROR(listener->BindTo(host, address.substr(colon + 1)));
  return listener;
}

Status Listener::BindTo(const std::string& host, const std::string& port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) return Bad(gai_strerror(error));
  const std::unique_ptr<addrinfo, AddressesDeleter> list(found);
  for (addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 && errno == EAFNOSUPPORT && one->ai_next != nullptr) continue;
    if (fd < 0) return SystemError();
    listening_.push_back(fd);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // Alone, [::] stands for IPv4 as well.
    if (one->ai_family == AF_INET6 && found->ai_next != nullptr) {
      setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    // One port for all of them, whichever the first has got.
    if (port_ != 0) {
      reinterpret_cast<sockaddr_in*>(one->ai_addr)->sin_port =
          htons(static_cast<uint16_t>(port_));
    }
    if (bind(fd, one->ai_addr, one->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
      return SystemError();
    }
    port_ = PortOf(fd);
  }
  return Ok();
}

Status Listener::BindUnix(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Bad("the path of a socket has 1 to 107 bytes");
  }
  path.copy(address.sun_path, path.size());
  struct stat before = {};
  if (lstat(path.c_str(), &before) == 0 && S_ISSOCK(before.st_mode)) unlink(path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return SystemError();
  listening_.push_back(fd);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, SOMAXCONN) != 0) {
    return SystemError();
  }
  return Ok();
}

void Listener::Start(std::function<void(int)> take) {
  take_ = std::move(take);
  thread_ = std::thread([this] { Run(); });
}

void Listener::Run() {
  std::vector<pollfd> fds;
  for (const int fd : listening_) fds.push_back({fd, POLLIN, 0});
  fds.push_back({wake_, POLLIN, 0});
  while (true) {
    if (poll(fds.data(), fds.size(), /*timeout=*/-1) < 0) continue;
    if (fds.back().revents != 0) return;
    for (size_t i = 0; i + 1 < fds.size(); ++i) {
      if (fds[i].revents != 0) TakeFrom(fds[i].fd);
    }
  }
}

void Listener::TakeFrom(int listening) {
  const int fd = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    // Anything else concerns that connection only.
    if (errno == EMFILE || errno == ENFILE) Refuse(listening);
    return;
  }
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  const bool refuses = fd > LastForConnections(limit.rlim_cur);
  if (refuses && !refusing_) {
    LogWarning("connections are refused: of {} descriptors the rest are for files",
               limit.rlim_cur);
  }
  refusing_ = refuses;
  if (refuses) {
    close(fd);
    return;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMillis,
             sizeof kUnacknowledgedMillis);
  take_(fd);
}

void Listener::Refuse(int listening) {
  if (spare_ >= 0) close(spare_);
  const int fd = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) close(fd);
  spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) return;
  // Somebody was faster. Until there is one again, or the end:
  pollfd end{wake_, POLLIN, 0};
  poll(&end, 1, kAgainMillis);
}

}  // namespace tarn::rpc
