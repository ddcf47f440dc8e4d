// A TCP relay between a client and a server that can lose what the network can lose.
#pragma once

#include <atomic>
#include <string>
#include <thread>

namespace tarn::testing {

// Thread safety: safe.
class Relay {
 public:
  // Listens on a loopback port of its own and passes everything on to `target` (127.0.0.1:port).
  explicit Relay(const std::string& target);
  ~Relay();

  std::string address() const;
  // From now on nothing that the server says arrives, until the connections are cut.
  void LoseReplies() { lose_replies_ = true; }
  // Breaks all connections; new ones work again.
  void Cut();
  // A partition: from now on nothing passes in these directions, not even that a connection was
  // closed; what is sent waits, as in TCP. New connections are made if both directions are not
  // stalled, else they wait too. Stall(false, false) heals.
  void Stall(bool to_server, bool to_client);
  // Bytes of replies lost so far: above 0, the server has answered something.
  size_t lost() const { return lost_; }

 private:
  void Run();
  void Wake();

  const int target_port_;
  int listen_fd_ = -1;
  int wake_[2] = {-1, -1};
  int port_ = 0;
  std::atomic<bool> lose_replies_ = false;
  std::atomic<bool> cut_ = false;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> stall_to_server_ = false, stall_to_client_ = false;
  std::atomic<size_t> lost_ = 0;
  std::thread thread_;
};

}  // namespace tarn::testing
