#include "tests/support/lan.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <random>

namespace tarn::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMtu = 16 * 1024;
constexpr size_t kHeaderBytes = 20;  // of IPv4
constexpr size_t kLastOfTarget = 19;  // the last byte of the target's address

void Must(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

std::string AddressOf(size_t host) {
  return "10.77.0." + std::to_string(host + 1);
}

void Address(ifreq& request, const std::string& text) {
  auto* address = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
  *address = {};
  address->sin_family = AF_INET;
  Must(inet_pton(AF_INET, text.c_str(), &address->sin_addr) == 1, "inet_pton");
}

void BringUp(int control, const char* name) {
  ifreq request = {};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  Must(ioctl(control, SIOCGIFFLAGS, &request) == 0, "SIOCGIFFLAGS");
  request.ifr_flags |= IFF_UP;
  Must(ioctl(control, SIOCSIFFLAGS, &request) == 0, "SIOCSIFFLAGS");
}

// The device of the calling thread's network, with everything a host needs to speak.
int MakeDevice(size_t host) {
  const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  Must(fd >= 0, "/dev/net/tun");
  ifreq request = {};
  std::strncpy(request.ifr_name, "eth0", IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  Must(ioctl(fd, TUNSETIFF, &request) == 0, "TUNSETIFF");
  const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  Must(control >= 0, "socket");
  Address(request, AddressOf(host));
  Must(ioctl(control, SIOCSIFADDR, &request) == 0, "SIOCSIFADDR");
  Address(request, "255.255.255.0");
  Must(ioctl(control, SIOCSIFNETMASK, &request) == 0, "SIOCSIFNETMASK");
  request.ifr_mtu = kMtu;
  Must(ioctl(control, SIOCSIFMTU, &request) == 0, "SIOCSIFMTU");
  BringUp(control, "eth0");
  BringUp(control, "lo");
  close(control);
  return fd;
}

}  // namespace

struct Lan::Host {
  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() {
    close(device);
    close(network);
  }
  Link link() {
    const std::lock_guard lock(mu);
    return link_now;
  }

  int network = -1;  // its namespace
  int device = -1;
  std::mutex mu;
  Link link_now;  // Guarded by mu.
};

// One thread's loop: takes packets from the devices and gives them to those that they are for.
class Lan::Wire {
 public:
  Wire(Lan& lan, uint64_t seed) : lan_(lan), random_(seed) {}

  void Run() {
    std::vector<pollfd> fds;
    for (const auto& host : lan_.hosts_) fds.push_back({host->device, POLLIN, 0});
    fds.push_back({lan_.wake_, POLLIN, 0});
    while (!lan_.stop_) {
      const timespec wait = UntilDue();
      ppoll(fds.data(), fds.size(), under_way_.empty() ? nullptr : &wait, nullptr);
      for (size_t i = 0; i < lan_.hosts_.size(); ++i) {
        if ((fds[i].revents & POLLIN) != 0) TakeFrom(i);
      }
      Deliver();
    }
  }

 private:
  struct Packet {
    size_t target;
    std::string bytes;
  };

  timespec UntilDue() const {
    if (under_way_.empty()) return {};
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::max(under_way_.begin()->first - Clock::now(), Clock::duration::zero()));
    return {.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
  }

  void TakeFrom(size_t source) {
    const Path out = lan_.hosts_[source]->link().out;
    ssize_t n = 0;
    while ((n = read(lan_.hosts_[source]->device, buffer_.data(), buffer_.size())) > 0) {
      const std::string_view bytes(buffer_.data(), static_cast<size_t>(n));
      if (bytes.size() < kHeaderBytes || (bytes[0] & 0xf0) != 0x40) continue;  // IPv6 asks around
      const size_t target = static_cast<uint8_t>(bytes[kLastOfTarget]) - size_t{1};
      if (target < lan_.hosts_.size()) Send(out, target, bytes);
    }
  }

  void Send(const Path& out, size_t target, std::string_view bytes) {
    const Path in = lan_.hosts_[target]->link().in;
    if (out.cut || in.cut || Happens(out.loss) || Happens(in.loss)) {
      ++lan_.lost_;
      return;
    }
    const auto delay = out.delay + in.delay + UpTo(out.jitter) + UpTo(in.jitter);
    if (delay == delay.zero()) return Give(target, bytes);
    under_way_.emplace(Clock::now() + delay, Packet{target, std::string(bytes)});
  }

  void Deliver() {
    while (!under_way_.empty() && under_way_.begin()->first <= Clock::now()) {
      const Packet& packet = under_way_.begin()->second;
      Give(packet.target, packet.bytes);
      under_way_.erase(under_way_.begin());
    }
  }

  // A device whose queue is full loses it, as devices do.
  void Give(size_t target, std::string_view bytes) {
    if (write(lan_.hosts_[target]->device, bytes.data(), bytes.size()) < 0) ++lan_.lost_;
  }

  bool Happens(double probability) {
    return probability > 0 && std::uniform_real_distribution<>(0, 1)(random_) < probability;
  }
  std::chrono::microseconds UpTo(std::chrono::microseconds most) {
    std::uniform_int_distribution<int64_t> distribution(0, most.count());
    return std::chrono::microseconds(distribution(random_));
  }

  Lan& lan_;
  std::mt19937_64 random_;
  std::array<char, 64 * 1024> buffer_;
  std::multimap<Clock::time_point, Packet> under_way_;  // in the order of the wire
};

Lan::Lan(size_t hosts, uint64_t seed) : wake_(eventfd(0, EFD_CLOEXEC)) {
  Must(hosts > 0 && hosts <= kHostsMax, "too many hosts");
  for (size_t i = 0; i < hosts; ++i) {
    hosts_.push_back(std::make_unique<Host>());
    std::thread([i, &host = *hosts_.back()] {
      Must(unshare(CLONE_NEWNET) == 0, "unshare");
      host.network = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
      Must(host.network >= 0, "/proc/thread-self/ns/net");
      host.device = MakeDevice(i);
    }).join();
  }
  thread_ = std::thread([this, seed] { Wire(*this, seed).Run(); });
}

Lan::~Lan() {
  stop_ = true;
  const uint64_t one = 1;
  Must(write(wake_, &one, sizeof one) == sizeof one, "eventfd");
  thread_.join();
  close(wake_);
}

std::string Lan::address(size_t host) const {
  return AddressOf(host);
}

std::vector<std::string> Lan::Inside(size_t host) const {
  return {"/usr/bin/nsenter", "--net=/proc/" + std::to_string(getpid()) + "/fd/" +
                                  std::to_string(hosts_.at(host)->network), "--"};
}

void Lan::Run(size_t host, const std::function<void()>& work) const {
  std::thread([&] {
    Must(setns(hosts_.at(host)->network, CLONE_NEWNET) == 0, "setns");
    work();
  }).join();
}

void Lan::Set(size_t host, const Link& link) {
  const std::lock_guard lock(hosts_.at(host)->mu);
  hosts_[host]->link_now = link;
}

}  // namespace tarn::testing
