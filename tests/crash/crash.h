// Three mounts of one server, for tests that break what is below them; descriptors and bounded
// waits.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/cluster/cluster.h"

namespace tarn::testing {

// A descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  Fd(const std::string& path, int flags);
  Fd(Fd&& from) noexcept : fd_(std::exchange(from.fd_, -1)) {}
  Fd& operator=(Fd&& from) noexcept {
    std::swap(fd_, from.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  // The content from its beginning, or "!" and the errno's name.
  std::string ReadAll() const;
  // 0 or an errno.
  int WriteAt(const std::string& bytes, int64_t offset) const;
  int Lock(bool wait) const;  // an OFD lock on all of it
  int Unlock() const;

 private:
  int fd_ = -1;
};

// "what: ERRNO".
std::string Oops(const std::string& what, int error);
// What is used of the file system below `path`: inodes, and bytes.
std::pair<uint64_t, uint64_t> UsageOf(const std::string& path);

class CrashTest : public ClusterTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  RealMount& c() { return *c_; }
  RealMount& host(size_t i) { return i % 3 == 0 ? a() : i % 3 == 1 ? b() : c(); }
  // Runs `work`, which must end within the limit and return "". A test that hangs kills the
  // clients, which ends the system calls that hang, and fails.
  void MustEnd(const std::function<std::string()>& work,
               std::chrono::milliseconds limit = kPatience);
  // The clients run, and each mount is the one that SetUp made.
  void ExpectMountsNeverRemade();
  void KillClients();

 private:
  std::unique_ptr<RealMount> c_;
  std::vector<uint64_t> devices_;
};

}  // namespace tarn::testing
