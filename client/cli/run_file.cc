#include "client/cli/run_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tarn::cli {
namespace {

std::string Directory() {
  if (geteuid() == 0) return "/run/tarn";
  const char* runtime = getenv("XDG_RUNTIME_DIR");
  return runtime == nullptr ? "" : std::string(runtime) + "/tarn";
}

std::string PathOf(const std::string& directory, const MountEntry& mount) {
  return directory + "/mount-" + std::to_string(mount.major) + "-" + std::to_string(mount.minor);
}

Error SystemError(const std::string& what) {
  return {FromSystem(errno), what + ": " + strerror(errno)};
}

}  // namespace

Result<RunFile> RunFile::Make(const MountEntry& mount) {
  std::string directory = Directory();
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
  std::string path = PathOf(Directory(), mount);
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

}  // namespace tarn::cli
