// Starts programs for ChildProcess, from a process of its own that has none of the test's
// descriptors.
//
// Whoever is forked from the test has them, those of files on a mount too, and closes them by its
// exec. What was written through them is then told to the server first (FLUSH): to one that is
// down, perhaps, and that this very child is about to become. (To fork with the descriptors in
// common and to leave all behind by CLOSE_RANGE_UNSHARE does not help: the kernel copies the first
// 64 in any case, and closes the copies.)
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/sync.h"

namespace tarn::testing {

// Thread safety: safe.
// Lifetime: from the first use to the end of the test. Programs die with the thread of the first
// use, which is the main one's as a rule.
class Starter {
 public:
  static Starter& Get();

  // Starts argv[0], found by PATH, with the environment as it is now and its output appended to
  // the file `log` ("": shown). The process is a child of the caller's, to be waited for as such;
  // it ends with status 127 if the program cannot be started.
  pid_t Start(const std::vector<std::string>& argv, const std::string& log);

 private:
  Starter();

  Mutex mu_;
  int socket_ ABSL_GUARDED_BY(mu_) = -1;
};

}  // namespace tarn::testing
