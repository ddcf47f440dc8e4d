#include "client/cli/session_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "client/cli/run_file.h"
#include "common/siphash.h"

namespace tarn::cli {
namespace {

constexpr size_t kFileMaxBytes = 64 * 1024;

}  // namespace

std::optional<SessionFile> SessionFile::Take(const std::string& source,
                                             const std::string& directory) {
  const std::string folder = RunDirectory();
  if (folder.empty() || (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST)) return std::nullopt;
  // A name for any path; which one it is of stands inside.
  const std::string path = folder + absl::StrFormat("/session-%016x", SipHash({}, directory));
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return std::nullopt;
  SessionFile file(path, fd, "source " + source + "\ndirectory " + directory + "\nsession ");
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return std::nullopt;
  std::string text(kFileMaxBytes, '\0');
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  if (text.starts_with(file.head_) && text.ends_with("\n")) {
    file.previous_ =
        absl::HexStringToBytes(text.substr(file.head_.size(), text.size() - file.head_.size() - 1));
  }
  return file;
}

SessionFile::SessionFile(SessionFile&& other) noexcept
    : path_(other.path_),
      fd_(std::exchange(other.fd_, -1)),
      head_(other.head_),
      previous_(std::move(other.previous_)) {}

SessionFile::~SessionFile() {
  if (fd_ >= 0) close(fd_);
}

void SessionFile::Put(const std::string& session) {
  if (session.empty()) {
    unlink(path_.c_str());
    return;
  }
  // At once, so that a daemon that dies here leaves one or the other.
  const std::string text = head_ + absl::BytesToHexString(session) + "\n";
  if (pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size())) {
    [[maybe_unused]] int cut = ftruncate(fd_, static_cast<off_t>(text.size()));
  }
}

}  // namespace tarn::cli
