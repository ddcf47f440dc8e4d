#include "tests/crash/crash.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <future>

namespace tarn::testing {
namespace {

constexpr size_t kChunkBytes = 128 * 1024;

uint64_t DeviceOf(const std::string& path) {
  struct stat s = {};
  return stat(path.c_str(), &s) == 0 ? s.st_dev : 0;
}

}  // namespace

Fd::Fd(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

std::string Fd::ReadAll() const {
  std::string content, chunk(kChunkBytes, '\0');
  while (true) {
    const ssize_t size = pread(fd_, chunk.data(), chunk.size(), static_cast<off_t>(content.size()));
    if (size < 0) return std::string("!") + strerrorname_np(errno);
    if (size == 0) return content;
    content.append(chunk, 0, static_cast<size_t>(size));
  }
}

int Fd::WriteAt(const std::string& bytes, int64_t offset) const {
  const ssize_t size = pwrite(fd_, bytes.data(), bytes.size(), offset);
  if (size < 0) return errno;
  return static_cast<size_t>(size) == bytes.size() ? 0 : EIO;
}

int Fd::Lock(bool wait) const {
  struct flock range = {};
  range.l_type = F_WRLCK;
  return fcntl(fd_, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range) == 0 ? 0 : errno;
}

int Fd::Unlock() const {
  struct flock range = {};
  range.l_type = F_UNLCK;
  return fcntl(fd_, F_OFD_SETLK, &range) == 0 ? 0 : errno;
}

std::string Oops(const std::string& what, int error) {
  return what + ": " + strerrorname_np(error);
}

std::pair<uint64_t, uint64_t> UsageOf(const std::string& path) {
  struct statvfs s = {};
  EXPECT_EQ(statvfs(path.c_str(), &s), 0);
  return {s.f_files - s.f_ffree, (s.f_blocks - s.f_bfree) * s.f_frsize};
}

void CrashTest::SetUp() {
  ClusterTest::SetUp();
  if (IsSkipped()) return;
  c_ = MountOn(3);
  for (size_t i = 0; i < 3; ++i) devices_.push_back(DeviceOf(host(i).path()));
}

void CrashTest::TearDown() {
  if (HasFailure() && c_ != nullptr) {
    std::printf("--- mount C\n%s\n", ReadLog(c_->log()).c_str());
  }
  c_.reset();
  ClusterTest::TearDown();
}

void CrashTest::MustEnd(const std::function<std::string()>& work, std::chrono::milliseconds limit) {
  std::future<std::string> done = std::async(std::launch::async, work);
  const bool ended = done.wait_for(limit) == std::future_status::ready;
  if (!ended) KillClients();
  EXPECT_EQ(done.get(), "");
  EXPECT_TRUE(ended) << "did not end by itself";
}

void CrashTest::ExpectMountsNeverRemade() {
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(host(i).client().running());
    EXPECT_EQ(DeviceOf(host(i).path()), devices_[i]);
  }
}

void CrashTest::KillClients() {
  for (size_t i = 0; i < 3; ++i) {
    // A stopped daemon dies as well.
    host(i).KillClient();
  }
}

}  // namespace tarn::testing
