#include "tests/support/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "tests/support/expect.h"

namespace tarn::testing {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

struct Pair {
  int client = -1;
  int server = -1;
  // How many bytes may yet pass; -1: any number.
  int64_t left_to_server = -1;
  int64_t left_to_client = -1;
  Http2Calls calls;
};

int ConnectTo(int port, const std::string& source) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in from = Loopback(0);
  EXPECT_EQ(inet_pton(AF_INET, source.c_str(), &from.sin_addr), 1);
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// Reads what there is, shows it to `note` and writes it to `to`, or loses it. 0: the connection is
// over, also because all of `left` has passed.
template <class Note>
ssize_t Pump(int from, int to, bool lose, int64_t& left, Note note) {
  char buffer[64 * 1024];
  ssize_t n = recv(from, buffer, sizeof buffer, 0);
  const bool last = left >= 0 && n >= left;
  if (last) n = static_cast<ssize_t>(left);
  if (left >= 0) left -= n;
  if (n > 0) note(std::string_view(buffer, static_cast<size_t>(n)));
  for (ssize_t sent = 0; !lose && sent < n;) {
    const ssize_t m =
        send(to, buffer + sent, static_cast<size_t>(n - sent), MSG_NOSIGNAL);
    if (m <= 0) return 0;
    sent += m;
  }
  return last ? 0 : n;
}

void Close(Pair& pair) {
  close(pair.client);
  close(pair.server);
  pair = {};
}

}  // namespace

Relay::Relay(const std::string& target, std::string source)
    : target_port_(std::stoi(target.substr(target.rfind(':') + 1))), source_(std::move(source)) {
  listen_fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  EXPECT_EQ(bind(listen_fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(listen_fd_, 64), 0);
  socklen_t size = sizeof address;
  getsockname(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  EXPECT_EQ(pipe(wake_), 0);
  thread_ = std::thread([this] { Run(); });
}

Relay::~Relay() {
  stop_ = true;
  Cut();
  thread_.join();
  close(listen_fd_);
  close(wake_[0]);
  close(wake_[1]);
}

std::string Relay::address() const { return "127.0.0.1:" + std::to_string(port_); }

void Relay::Cut() {
  cut_ = true;
  Wake();
}

void Relay::BreakNext(int connections, int64_t after_to_server, int64_t after_to_client) {
  after_to_server_ = after_to_server;
  after_to_client_ = after_to_client;
  breaking_ = connections;
}

void Relay::Stall(bool to_server, bool to_client) {
  stall_to_server_ = to_server;
  stall_to_client_ = to_client;
  Wake();
  const auto seen = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return stalled_ == std::pair(to_server, to_client);
  };
  const MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&seen));
}

void Relay::Wake() {
  EXPECT_EQ(write(wake_[1], "x", 1), 1);
}

void Relay::Note(Http2Calls& reader, std::string_view bytes) {
  const MutexLock lock(&mu_);
  reader.Take(bytes, calls_);
}

CallCounts Relay::calls() const {
  const MutexLock lock(&mu_);
  return calls_;
}

void Relay::Run() {
  std::vector<Pair> pairs;
  while (!stop_) {
    const bool deaf = stall_to_server_, dumb = stall_to_client_;
    {
      const MutexLock lock(&mu_);
      stalled_ = {deaf, dumb};
    }
    const auto unless = [](bool stalled, int fd) { return pollfd{stalled ? -1 : fd, POLLIN, 0}; };
    std::vector<pollfd> polled = {unless(deaf && dumb, listen_fd_), {wake_[0], POLLIN, 0}};
    for (const Pair& pair : pairs) {
      polled.push_back(unless(deaf, pair.client));
      polled.push_back(unless(dumb, pair.server));
    }
    poll(polled.data(), polled.size(), -1);
    if (polled[1].revents != 0) {
      char byte = 0;
      EXPECT_EQ(read(wake_[0], &byte, 1), 1);
    }
    if (cut_.exchange(false)) {
      for (Pair& pair : pairs) Close(pair);
      pairs.clear();
      lose_replies_ = false;
      continue;
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
      bool over = false;
      if (polled[2 + 2 * i].revents != 0) {
        const auto note = [&](std::string_view bytes) { Note(pairs[i].calls, bytes); };
        over = Pump(pairs[i].client, pairs[i].server, false, pairs[i].left_to_server, note) <= 0;
      }
      if (!over && polled[3 + 2 * i].revents != 0) {
        const bool lose = lose_replies_;
        const ssize_t n = Pump(pairs[i].server, pairs[i].client, lose, pairs[i].left_to_client,
                               [](std::string_view) {});
        over = n <= 0;
        if (lose && n > 0) lost_ += static_cast<size_t>(n);
      }
      if (over) Close(pairs[i]);
    }
    std::erase_if(pairs, [](const Pair& pair) { return pair.client < 0; });
    if (polled[0].revents != 0) {
      const int client = accept(listen_fd_, nullptr, nullptr);
      const int server = ConnectTo(target_port_, source_);
      const int one = 1;
      setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      if (server < 0) {
        close(client);
      } else {
        setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        pairs.push_back({client, server});
        if (breaking_ > 0) {
          --breaking_;
          pairs.back().left_to_server = after_to_server_;
          pairs.back().left_to_client = after_to_client_;
        }
      }
    }
  }
  for (Pair& pair : pairs) Close(pair);
}

}  // namespace tarn::testing
