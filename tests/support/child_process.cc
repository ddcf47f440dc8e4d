#include "tests/support/child_process.h"

#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>

#include "tests/support/starter.h"
#include "tests/support/temp_dir.h"

namespace tarn::testing {

ChildProcess::ChildProcess(const std::vector<std::string>& argv, const std::string& log)
    : pid_(Starter::Get().Start(argv, log)) {}

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
