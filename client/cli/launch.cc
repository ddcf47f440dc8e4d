#include "client/cli/launch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tarn::cli {
namespace {

Error SystemError(const std::string& what) {
  return {FromSystem(errno), what + ": " + strerror(errno)};
}

}  // namespace

Result<Launch> Launch::Fork() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("pipe");
  pid_t pid = fork();
  if (pid < 0) return SystemError("fork");
  bool in_daemon = pid == 0;
  close(ends[in_daemon ? 0 : 1]);
  return Launch(in_daemon, ends[in_daemon ? 1 : 0]);
}

Launch::Launch(Launch&& other) noexcept
    : in_daemon_(other.in_daemon_), fd_(std::exchange(other.fd_, -1)) {}

Launch::~Launch() {
  if (fd_ >= 0) close(fd_);
}

Status Launch::Wait() {
  std::string word;
  char piece[512];
  ssize_t n = 0;
  while ((n = read(fd_, piece, sizeof piece)) != 0) {
    if (n > 0) word.append(piece, static_cast<size_t>(n));
    if (n < 0 && errno != EINTR) return SystemError("waiting for the daemon");
  }
  int32_t code = 0;
  if (word.size() < sizeof code) {
    return Error(Errno::kEIO, "the daemon ended before the mount was there (see its log)");
  }
  memcpy(&code, word.data(), sizeof code);
  if (code == 0) return Ok();
  return Error(FromSystem(code), word.substr(sizeof code));
}

Status RedirectOutput(const std::string& log_file) {
  int out = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (out < 0) return SystemError("cannot open the log file " + log_file);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  if (out > STDERR_FILENO) close(out);
  return Ok();
}

Status Launch::Detach(const std::string& log_file) {
  if (setsid() < 0) return SystemError("setsid");
  int in = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (in < 0) return SystemError("/dev/null");
  dup2(in, STDIN_FILENO);
  if (in > STDERR_FILENO) close(in);
  // Before the directory changes, for the name may count from here.
  RETURN_IF_ERROR(RedirectOutput(log_file.empty() ? "/dev/null" : log_file));
  if (chdir("/") != 0) return SystemError("chdir /");
  return Ok();
}

void Launch::Report(const Status& status) {
  if (fd_ < 0) return;
  int32_t code = static_cast<int32_t>(status.code());
  std::string word(reinterpret_cast<const char*>(&code), sizeof code);
  if (!status.ok()) word += status.error().message;
  // Up to PIPE_BUF it goes out whole; nobody may be there any more to read it.
  [[maybe_unused]] ssize_t n = write(fd_, word.data(), word.size());
  close(std::exchange(fd_, -1));
}

}  // namespace tarn::cli
