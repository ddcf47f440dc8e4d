// A network of hosts on this machine: network namespaces, each with one device, and a wire between
// these that delays, reorders and loses packets as it is told. The kernels' own TCP runs over it,
// so a connection that is cut off resends, backs off and gives up as a real one does.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace tarn::testing {

// What happens to packets that go one way.
struct Path {
  std::chrono::microseconds delay{0};
  std::chrono::microseconds jitter{0};  // up to so much more, for each packet anew: they overtake
  double loss = 0;                      // of 1
  bool cut = false;                     // none arrives
};

// One host's: what it sends, and what it is sent.
struct Link {
  Path out, in;
  static constexpr Link Both(const Path& path) { return {path, path}; }
};

// REQUIRES: root and /dev/net/tun. Nothing of it is left when the process ends, however it ends.
// Thread safety: safe.
class Lan {
 public:
  static constexpr size_t kHostsMax = 100;
  explicit Lan(size_t hosts, uint64_t seed = 1);
  ~Lan();
  Lan(const Lan&) = delete;
  Lan& operator=(const Lan&) = delete;

  size_t hosts() const { return hosts_.size(); }
  std::string address(size_t host) const;  // "10.77.0.N"
  // What to put before a command so that it runs on the host: its network is there, its files and
  // its processes are those of this machine.
  std::vector<std::string> Inside(size_t host) const;
  // Runs it on a thread whose new sockets are the host's.
  void Run(size_t host, const std::function<void()>& work) const;
  // From now on; packets that are under way arrive as they would have.
  void Set(size_t host, const Link& link);
  // Packets lost on purpose so far, those of cuts among them.
  uint64_t lost() const { return lost_; }

 private:
  struct Host;
  class Wire;

  std::vector<std::unique_ptr<Host>> hosts_;
  int wake_ = -1;  // an eventfd
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> lost_ = 0;
  std::thread thread_;
};

}  // namespace tarn::testing
