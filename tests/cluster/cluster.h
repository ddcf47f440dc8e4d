// Two mounts of one server, all of them real processes; what tests of the whole need.
//
// Nothing here sleeps: what has to happen elsewhere is waited for (Eventually), with a deadline.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/real_daemon.h"

namespace tarn::testing {

// For tests that wait until a client is given up: short, and yet long enough for a busy machine to
// run everybody in time.
inline constexpr std::chrono::seconds kShortLifetime{6};
inline std::vector<std::string> ShortLifetime() {
  return {"--session-lifetime", std::to_string(kShortLifetime.count())};
}

class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // What tarnd is told beyond where its state is.
  virtual std::vector<std::string> server_flags() const { return {}; }
  // A network with at least a host for the server (0) and one for each mount. Null, so that all use
  // this machine's loopback, unless TARN_TEST_DELAY_US says how long a packet is under way; then
  // TARN_TEST_JITTER_US says how much longer it may be, TARN_TEST_LOSS_PERMILLE how many are lost.
  virtual std::unique_ptr<Lan> MakeLan() const;

  RealServer& server() { return *server_; }
  Lan& lan() { return *lan_; }  // REQUIRES: MakeLan makes one
  RealMount& a() { return *a_; }
  RealMount& b() { return *b_; }

  // A mount of the default file system, from that host if there is a Lan.
  std::unique_ptr<RealMount> MountOn(size_t host, const std::vector<std::string>& flags = {});

 private:
  std::unique_ptr<Lan> lan_;
  std::unique_ptr<RealServer> server_;
  std::unique_ptr<RealMount> a_, b_;
  // With TARN_TEST_KILL_EVERY_MS: kills the server and starts it again, all the time.
  std::atomic<bool> calm_{false};
  std::thread killer_;
};

// ---- plain system calls: 0 or an errno ----
int Write(const std::string& path, const std::string& content);   // creates or replaces
int Append(const std::string& path, const std::string& content);  // one write(2), O_APPEND
// The content, or "!" and the errno's name.
std::string Read(const std::string& path);
bool Exists(const std::string& path);
int64_t SizeOf(const std::string& path);  // -1: not there
std::vector<std::string> List(const std::string& path);
bool IsTestLong();

// A process of its own that holds a lock on a file (lock_holder.cc).
class LockHolder {
 public:
  // `kind`: "range" or "flock". Waits for the lock if somebody else has it.
  LockHolder(const std::string& file, const std::string& kind);
  bool holds();
  bool HoldsEventually(std::chrono::milliseconds limit = kPatience);
  void Kill() { process_.Kill(); }
  void Stop();  // lets go and ends

 private:
  const TempDir dir_;
  ChildProcess process_;
};

// Threads that do something over and over, on their own numbers 0, 1, 2…, until stopped.
class Load {
 public:
  // `step` returns "" or what went wrong, which stops its thread.
  using Step = std::function<std::string(int thread, int number)>;
  Load(int threads, Step step);
  ~Load() { (void)Stop(); }
  // Steps completed by all threads.
  int done() const { return done_; }
  // True when `more` further steps were completed; false also when a thread has complained.
  bool Progresses(int more);
  // Ends the threads; the first complaint, or "".
  std::string Stop();
  // Steps completed by one thread: its numbers are below this.
  int completed(int thread) const { return completed_[static_cast<size_t>(thread)]; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<bool> complained_{false};
  std::atomic<int> done_{0};
  std::vector<std::atomic<int>> completed_;
  std::vector<std::string> complaints_;
  std::vector<std::thread> threads_;
};

}  // namespace tarn::testing
