// A TCP relay between a client and a server that can lose what the network can lose, and tells
// which calls clients make.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "common/sync.h"
#include "tests/support/http2_calls.h"

namespace tarn::testing {

// Thread safety: safe.
class Relay {
 public:
  // Listens on a loopback port of its own and passes everything on to `target` (127.0.0.1:port).
  // The server sees connections from `source`, any address of 127.0.0.0/8.
  explicit Relay(const std::string& target, std::string source = "127.0.0.1");
  ~Relay();

  std::string address() const;
  // From now on nothing that the server says arrives, until the connections are cut.
  void LoseReplies() { lose_replies_ = true; }
  // Breaks all connections; new ones work again.
  void Cut();
  // Each of the next `connections` that are made passes on so many bytes in one direction and then
  // breaks; -1: does not.
  void BreakNext(int connections, int64_t after_to_server, int64_t after_to_client);
  // A partition: from now on nothing passes in these directions, not even that a connection was
  // closed; what is sent waits, as in TCP. New connections are made if both directions are not
  // stalled, else they wait too. Stall(false, false) heals. It is so when this returns.
  void Stall(bool to_server, bool to_client);
  // Bytes of replies lost so far: above 0, the server has answered something.
  size_t lost() const { return lost_; }
  // Which calls clients have made so far, over all connections. A call that was answered is in it.
  CallCounts calls() const;

 private:
  void Run();
  void Wake();
  void Note(Http2Calls& reader, std::string_view bytes);

  const int target_port_;
  const std::string source_;
  int listen_fd_ = -1;
  int wake_[2] = {-1, -1};
  int port_ = 0;
  std::atomic<bool> lose_replies_ = false;
  std::atomic<bool> cut_ = false;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> stall_to_server_ = false, stall_to_client_ = false;
  std::atomic<size_t> lost_ = 0;
  std::atomic<int> breaking_ = 0;  // how many connections yet
  std::atomic<int64_t> after_to_server_ = -1, after_to_client_ = -1;
  mutable Mutex mu_;
  CallCounts calls_ ABSL_GUARDED_BY(mu_);
  std::pair<bool, bool> stalled_ ABSL_GUARDED_BY(mu_);  // as the thread has seen it
  std::thread thread_;
};

}  // namespace tarn::testing
