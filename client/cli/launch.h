// Starting a daemon so that whoever starts it learns how it went.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/result.h"

namespace tarn::cli {

// A fork, and a pipe on which the daemon says once that it is ready or why it is not.
// Fork before anything else starts threads.
class Launch {
 public:
  // Returns in both processes. Errors: those of pipe and fork.
  static Result<Launch> Fork();
  // In one process, for the foreground: reports go nowhere.
  static Launch InForeground() { return Launch(true, -1); }
  Launch(Launch&& other) noexcept;
  Launch& operator=(Launch&&) = delete;
  ~Launch();

  bool in_daemon() const { return in_daemon_; }

  // Parent: waits for the daemon's word and returns it. Errors: the daemon's own, or EIO if it
  // ended without one.
  Status Wait();

  // Daemon: leaves the terminal, the session and the working directory. Standard output and error
  // go to `log_file`, or nowhere. Errors: those of opening it.
  static Status Detach(const std::string& log_file);
  // Daemon: the one word.
  void Report(const Status& status);

 private:
  Launch(bool in_daemon, int fd) : in_daemon_(in_daemon), fd_(fd) {}

  const bool in_daemon_;
  int fd_;  // this process's end of the pipe; -1: none
};

// Standard output and error go to the end of `log_file`. Errors: those of opening it.
Status RedirectOutput(const std::string& log_file);

}  // namespace tarn::cli
