#include "tests/support/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/temp_dir.h"

namespace tarn::testing {

ChildProcess::ChildProcess(const std::vector<std::string>& argv, const std::string& log) {
  std::vector<char*> raw;
  for (const std::string& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  const pid_t parent = getpid();
  // Like fork, but with the table of descriptors in common: so those of files on a mount can be
  // left behind without being closed, which would wait for a server that this child may be about
  // to be.
  pid_ = static_cast<pid_t>(
      syscall(SYS_clone, CLONE_FILES | SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (pid_ < 0) {
    std::perror("clone");
    std::abort();
  }
  if (pid_ > 0) return;
  // Only async-signal-safe calls from here: the parent may have threads.
  constexpr unsigned kFirstOther = 3;
  if (close_range(kFirstOther, ~0U, CLOSE_RANGE_UNSHARE) != 0) _exit(126);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(in, STDIN_FILENO);
  if (!log.empty()) {
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
  }
  execvp(raw[0], raw.data());
  _exit(127);
}

ChildProcess::~ChildProcess() {
  Kill();
}

void ChildProcess::Signal(int signal) {
  if (!status_) kill(pid_, signal);
}

std::optional<int> ChildProcess::Wait(std::chrono::milliseconds limit) {
  Eventually([this] { return !running(); }, limit);
  return status_;
}

bool ChildProcess::running() {
  if (status_) return false;
  int raw = 0;
  if (waitpid(pid_, &raw, WNOHANG) != pid_) return true;
  constexpr int kSignalBase = 128;
  status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : kSignalBase + WTERMSIG(raw);
  return false;
}

void ChildProcess::Kill() {
  Signal(SIGKILL);
  Wait();
}

Outcome RunCommand(const std::vector<std::string>& argv, std::chrono::milliseconds limit) {
  const TempDir dir;
  const std::string log = dir / "output";
  ChildProcess child(argv, log);
  const std::optional<int> status = child.Wait(limit);
  if (!status) child.Kill();
  std::ostringstream output;
  output << std::ifstream(log).rdbuf();
  return {status.value_or(128 + SIGKILL), output.str()};
}

Outcome RunShell(const std::string& script, const std::vector<std::string>& arguments,
                 std::chrono::milliseconds limit) {
  std::vector<std::string> argv = {"/bin/bash", "-euo", "pipefail", "-c", script, "script"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return RunCommand(argv, limit);
}

}  // namespace tarn::testing
