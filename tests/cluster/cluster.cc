#include "tests/cluster/cluster.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tarn::testing {
namespace {

constexpr size_t kChunkBytes = 1024 * 1024;

// A descriptor that closes itself.
class File {
 public:
  File(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }
  int Close() { return close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

long FromEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? 0 : std::strtol(value, nullptr, 10);
}

// What has been written is acknowledged by the close.
int WriteTo(const std::string& path, int flags, const std::string& content) {
  File file(path, flags);
  if (file.fd() < 0) return errno;
  const ssize_t written = write(file.fd(), content.data(), content.size());
  if (written < 0) return errno;
  if (static_cast<size_t>(written) != content.size()) return EIO;
  return file.Close() == 0 ? 0 : errno;
}

}  // namespace

void ClusterTest::SetUp() {
  if (!CanMount()) GTEST_SKIP() << "needs root and /dev/fuse";
  lan_ = MakeLan();
  server_ = std::make_unique<RealServer>(
      RealServer::Options{.flags = server_flags(), .lan = lan_.get()});
  a_ = MountOn(1);
  b_ = MountOn(2);
  const std::chrono::milliseconds kill_every(FromEnvironment("TARN_TEST_KILL_EVERY_MS"));
  if (kill_every.count() == 0) return;
  killer_ = std::thread([this, kill_every] {
    while (!Eventually([this] { return calm_.load(); }, kill_every)) server_->Restart();
  });
}

std::unique_ptr<Lan> ClusterTest::MakeLan() const {
  constexpr size_t kHosts = 10;
  const long delay = FromEnvironment("TARN_TEST_DELAY_US");
  if (delay == 0) return nullptr;
  auto lan = std::make_unique<Lan>(kHosts);
  // All packets have one end at the server.
  const std::chrono::microseconds jitter(FromEnvironment("TARN_TEST_JITTER_US"));
  const double loss = static_cast<double>(FromEnvironment("TARN_TEST_LOSS_PERMILLE")) / 1000;
  lan->Set(0, Link::Both({std::chrono::microseconds(delay), jitter, loss}));
  return lan;
}

std::unique_ptr<RealMount> ClusterTest::MountOn(size_t host,
                                                const std::vector<std::string>& flags) {
  const std::vector<std::string> here;
  return std::make_unique<RealMount>(server_->spec(), flags, "",
                                     lan_ == nullptr ? here : lan_->Inside(host));
}

void ClusterTest::TearDown() {
  if (killer_.joinable()) {
    calm_ = true;
    killer_.join();
  }
  if (HasFailure() && server_ != nullptr) {
    std::printf("--- tarnd\n%s\n--- mount A\n%s\n--- mount B\n%s\n",
                ReadLog(server_->log()).c_str(), ReadLog(a_->log()).c_str(),
                ReadLog(b_->log()).c_str());
  }
  b_.reset();
  a_.reset();
  server_.reset();
  lan_.reset();
}

int Write(const std::string& path, const std::string& content) {
  return WriteTo(path, O_WRONLY | O_CREAT | O_TRUNC, content);
}

int Append(const std::string& path, const std::string& content) {
  return WriteTo(path, O_WRONLY | O_CREAT | O_APPEND, content);
}

std::string Read(const std::string& path) {
  const File file(path, O_RDONLY);
  if (file.fd() < 0) return std::string("!") + strerrorname_np(errno);
  std::string content;
  std::string buffer(kChunkBytes, '\0');
  while (true) {
    const ssize_t size = read(file.fd(), buffer.data(), buffer.size());
    if (size < 0) return std::string("!") + strerrorname_np(errno);
    if (size == 0) return content;
    content.append(buffer, 0, static_cast<size_t>(size));
  }
}

bool Exists(const std::string& path) {
  struct stat s;
  return lstat(path.c_str(), &s) == 0;
}

int64_t SizeOf(const std::string& path) {
  struct stat s;
  return lstat(path.c_str(), &s) == 0 ? s.st_size : -1;
}

std::vector<std::string> List(const std::string& path) {
  std::vector<std::string> names;
  DIR* dir = opendir(path.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

bool IsTestLong() {
  return std::getenv("TARN_TEST_LONG") != nullptr;
}

LockHolder::LockHolder(const std::string& file, const std::string& kind)
    : process_({TARN_LOCK_HOLDER, file, kind}, dir_ / "output") {}

bool LockHolder::holds() {
  return process_.running() && ReadLog(dir_ / "output").find("held") != std::string::npos;
}

bool LockHolder::HoldsEventually(std::chrono::milliseconds limit) {
  return Eventually([this] { return holds(); }, limit);
}

void LockHolder::Stop() {
  process_.Signal(SIGTERM);
  process_.Wait();
}

Load::Load(int threads, Step step)
    : completed_(static_cast<size_t>(threads)), complaints_(static_cast<size_t>(threads)) {
  for (int thread = 0; thread < threads; ++thread) {
    threads_.emplace_back([this, thread, step] {
      const auto at = static_cast<size_t>(thread);
      for (int number = 0; !stop_; ++number) {
        complaints_[at] = step(thread, number);
        if (!complaints_[at].empty()) {
          complained_ = true;
          return;
        }
        completed_[at] = number + 1;
        ++done_;
      }
    });
  }
}

bool Load::Progresses(int more) {
  const int goal = done_ + more;
  Eventually([&] { return complained_ || done_ >= goal; });
  return !complained_ && done_ >= goal;
}

std::string Load::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  for (const std::string& complaint : complaints_) {
    if (!complaint.empty()) return complaint;
  }
  return "";
}

}  // namespace tarn::testing
