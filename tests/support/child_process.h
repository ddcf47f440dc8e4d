// A program started by a test: it cannot outlive the test, and its output is kept for the report.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/eventually.h"

namespace tarn::testing {

// Thread safety: one thread at a time.
// Lifetime: the destructor kills the program. It also dies with the test (starter.h).
class ChildProcess {
 public:
  // Starts argv[0] with its output appended to the file `log` ("": shown). None of the test's
  // descriptors is copied or closed for it.
  explicit ChildProcess(const std::vector<std::string>& argv, const std::string& log = "");
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal);
  // The exit status, 128 + the signal that ended it; nullopt: still running after `limit`.
  std::optional<int> Wait(std::chrono::milliseconds limit = kPatience);
  bool running();
  // SIGKILL, and waits.
  void Kill();

 private:
  const pid_t pid_;
  std::optional<int> status_;
};

// What a command printed (both streams) and how it ended.
struct Outcome {
  int status = 0;
  std::string output;
};
// Runs to the end, at most `limit` (then it is killed, status 137).
Outcome RunCommand(const std::vector<std::string>& argv,
                   std::chrono::milliseconds limit = kPatience);
// A shell script with -e; $1 and on are `arguments`.
Outcome RunShell(const std::string& script, const std::vector<std::string>& arguments = {},
                 std::chrono::milliseconds limit = kPatience);

}  // namespace tarn::testing
