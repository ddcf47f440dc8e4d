#include "client/cli/run_file.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "client/cli/mount_table.h"

namespace tarn::cli {
namespace {

// A process that has the mount's file and stays until it is killed.
class Sleeper {
 public:
  explicit Sleeper(const MountEntry& mount) {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    pid_ = fork();
    if (pid_ == 0) {
      const auto file = RunFile::Make(mount);
      if (!file.ok()) _exit(1);
      if (write(ready[1], "r", 1) != 1) _exit(1);
      while (true) pause();
    }
    close(ready[1]);
    char byte;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
  }
  ~Sleeper() {
    kill(pid_, SIGKILL);
    if (!reaped_) waitpid(pid_, nullptr, 0);
  }
  bool running() {
    reaped_ = reaped_ || waitpid(pid_, nullptr, WNOHANG) == pid_;
    return !reaped_;
  }
  void AwaitEnd() {
    waitpid(pid_, nullptr, 0);
    reaped_ = true;
  }

 private:
  pid_t pid_ = 0;
  bool reaped_ = false;
};

// The device number of a mount that is gone is soon another one's, and the file of that name too.
TEST(RunFileTest, ForceEndsWhoHadTheFileThatWasOpenedNotItsSuccessor) {
  if (RunDirectory().empty()) GTEST_SKIP() << "XDG_RUNTIME_DIR is not set";
  MountEntry mount;
  mount.major = 4095;
  mount.minor = static_cast<unsigned>(getpid());
  Sleeper daemon(mount);
  std::optional<RunFile> file = RunFile::Open(mount);
  ASSERT_TRUE(file.has_value());
  Sleeper successor(mount);
  EXPECT_FALSE(file->EndWithin(absl::ZeroDuration()));
  daemon.AwaitEnd();
  EXPECT_TRUE(successor.running());
  std::optional<RunFile> left = RunFile::Open(mount);
  ASSERT_TRUE(left.has_value());
  left->EndWithin(absl::ZeroDuration());
  successor.AwaitEnd();
}

}  // namespace
}  // namespace tarn::cli
