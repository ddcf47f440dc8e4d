#include "client/cli/run_file.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

namespace tarn::cli {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(20);

std::string PathOf(const std::string& directory, const MountEntry& mount) {
  return directory + "/mount-" + std::to_string(mount.major) + "-" + std::to_string(mount.minor);
}

Error SystemError(const std::string& what) {
  return {FromSystem(errno), what + ": " + strerror(errno)};
}

}  // namespace

std::string RunDirectory() {
  if (geteuid() == 0) return "/run/tarn";
  const char* runtime = getenv("XDG_RUNTIME_DIR");
  return runtime == nullptr ? "" : std::string(runtime) + "/tarn";
}

Result<RunFile> RunFile::Make(const MountEntry& mount) {
  std::string directory = RunDirectory();
  if (directory.empty()) return Error(Errno::kENOENT, "XDG_RUNTIME_DIR is not set");
  if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return SystemError(directory);
  std::string path = PathOf(directory, mount);
  // What lies there is of an earlier mount with the same device number; it may still be locked.
  unlink(path.c_str());
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError(path);
  RunFile file(path, fd, true);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return SystemError(path);
  std::string text = "pid " + std::to_string(getpid()) + "\nsource " + mount.source +
                     "\ndirectory " + mount.point + "\n";
  if (write(fd, text.data(), text.size()) < 0) return SystemError(path);
  return file;
}

std::optional<RunFile> RunFile::Open(const MountEntry& mount) {
  std::string path = PathOf(RunDirectory(), mount);
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  return RunFile(path, fd, false);
}

RunFile::RunFile(RunFile&& other) noexcept
    : path_(other.path_), fd_(std::exchange(other.fd_, -1)), own_(other.own_) {}

RunFile::~RunFile() {
  if (fd_ < 0) return;
  struct stat ours {
  }, there{};
  bool same = fstat(fd_, &ours) == 0 && stat(path_.c_str(), &there) == 0 &&
              ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
  if (own_ && same) unlink(path_.c_str());
  close(fd_);
}

void RunFile::AwaitEnd() {
  while (flock(fd_, LOCK_SH) != 0 && errno == EINTR) {
  }
  own_ = true;  // a daemon that was killed has left it behind
}

bool RunFile::EndWithin(absl::Duration limit) {
  const auto ended = [this] { return flock(fd_, LOCK_SH | LOCK_NB) == 0; };
  for (absl::Duration waited; waited < limit && !ended(); waited += kLook) {
    poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(kLook)));
  }
  const bool by_itself = ended();
  if (!by_itself) {
    // Who has the lock is alive, so the number is its own. Not by the path: once the mount is gone
    // another one may have its device number, and so its file.
    char text[64] = {};
    if (pread(fd_, text, sizeof text - 1, 0) > 0) {
      std::istringstream words(text);
      std::string word;
      pid_t pid = 0;
      if (words >> word >> pid && word == "pid" && pid > 0) kill(pid, SIGKILL);
    }
  }
  AwaitEnd();
  return by_itself;
}

}  // namespace tarn::cli
