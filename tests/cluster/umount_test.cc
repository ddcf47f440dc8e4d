// The end of a mount: it comes at once though the server is away, but not before everything that
// was acknowledged is written; and `tarn sync`.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

constexpr std::chrono::seconds kPromptly{25};
constexpr std::chrono::seconds kAWhile{2};

class UmountTest : public ClusterTest {
 protected:
  // `argv`, with the mount point, unmounts it promptly, and the client ends.
  void ExpectUnmounts(std::vector<std::string> argv, RealMount& mount) {
    SCOPED_TRACE(argv[0] + " " + argv[1]);
    argv.push_back(mount.path());
    const Outcome outcome = RunCommand(argv, kPromptly);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_FALSE(mount.mounted());
    EXPECT_EQ(mount.client().Wait(kPromptly), 0);
  }
  // Each way to end a mount, of which nothing is left to write.
  void ExpectAllWaysWork() {
    ExpectUnmounts({TarnPath(), "umount"}, *mounts_[0]);
    ExpectUnmounts({TarnPath(), "umount", "--lazy"}, *mounts_[1]);
    ExpectUnmounts({TarnPath(), "umount", "--force"}, *mounts_[2]);
    ExpectUnmounts({"umount", "--"}, *mounts_[3]);
    ExpectUnmounts({"umount", "-l"}, *mounts_[4]);
    mounts_[5]->client().Signal(SIGTERM);
    EXPECT_EQ(mounts_[5]->client().Wait(kPromptly), 0);
    EXPECT_FALSE(mounts_[5]->mounted());
  }
  void MakeMounts() {
    for (int i = 0; i < 6; ++i) {
      mounts_.push_back(std::make_unique<RealMount>(server().spec()));
      // So that something is cached, and something not.
      ASSERT_EQ(Write(*mounts_.back() / ("file" + std::to_string(i)), "x"), 0);
    }
  }

  std::vector<std::unique_ptr<RealMount>> mounts_;
};

TEST_F(UmountTest, WorksWhileTheServerIsDead) {
  MakeMounts();
  server().KillHard();
  ExpectAllWaysWork();
}

TEST_F(UmountTest, WorksWhileTheServerIsSilent) {
  MakeMounts();
  kill(server().pid(), SIGSTOP);
  ExpectAllWaysWork();
  kill(server().pid(), SIGCONT);
}

TEST_F(UmountTest, WorksAfterAMinuteOfOutage) {
  MakeMounts();
  server().KillHard();
  // What the kernel had is gone by then: umount(8) asks the client.
  Eventually([] { return false; }, std::chrono::seconds(IsTestLong() ? 60 : 22));
  ExpectAllWaysWork();
}

// A mount that has something to write: the flush waits for a file to go.
class HeldUpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanMount()) GTEST_SKIP() << "needs root and /dev/fuse";
    mkdir(point_.c_str(), 0755);
    ASSERT_EQ(Write(hold_, ""), 0);
    daemon_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{"env", "TARN_TEST_HOLD=" + hold_, TARN_HELD_UP_MOUNT, "mount",
                                 "127.0.0.1:/stub", point_, "--foreground"},
        log_);
    ASSERT_TRUE(Eventually([&] { return Says("is mounted at"); })) << ReadLog(log_);
  }
  void TearDown() override {
    if (HasFailure()) std::printf("%s\n", ReadLog(log_).c_str());
    unlink(hold_.c_str());
    RunCommand({"umount", "-l", point_});
  }
  bool Says(const std::string& word) { return ReadLog(log_).find(word) != std::string::npos; }
  bool mounted() {
    return ReadLog("/proc/self/mountinfo").find(" " + point_ + " ") != std::string::npos;
  }

  const TempDir dir_;
  const std::string point_ = dir_ / "mnt", hold_ = dir_ / "hold", log_ = dir_ / "log";
  std::unique_ptr<ChildProcess> daemon_;
};

TEST_F(HeldUpTest, UmountWaitsUntilEverythingIsWritten) {
  ChildProcess umount({TarnPath(), "umount", point_});
  ASSERT_TRUE(Eventually([&] { return !mounted(); }));
  EXPECT_FALSE(umount.Wait(kAWhile).has_value());
  EXPECT_TRUE(daemon_->running());
  // One signal is not enough.
  daemon_->Signal(SIGTERM);
  EXPECT_TRUE(Eventually([&] { return Says("one more"); }));
  EXPECT_TRUE(daemon_->running());
  EXPECT_TRUE(Eventually([&] { return Says("7 files"); }));
  unlink(hold_.c_str());
  EXPECT_EQ(umount.Wait(), 0);
  EXPECT_EQ(daemon_->Wait(), 0);
}

TEST_F(HeldUpTest, HelperWaitsAsWell) {
  const std::string helper = dir_ / "umount.tarn";
  ASSERT_EQ(symlink(TarnPath().c_str(), helper.c_str()), 0);
  ChildProcess umount({helper, point_, "-t", "fuse.tarn"});
  ASSERT_TRUE(Eventually([&] { return !mounted(); }));
  EXPECT_FALSE(umount.Wait(kAWhile).has_value());
  unlink(hold_.c_str());
  EXPECT_EQ(umount.Wait(), 0);
  EXPECT_EQ(daemon_->Wait(), 0);
}

TEST_F(HeldUpTest, ForceEndsItAndSaysSo) {
  const Outcome outcome = RunCommand({TarnPath(), "umount", "--force", point_});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.output.find("lost"), std::string::npos) << outcome.output;
  EXPECT_FALSE(mounted());
  EXPECT_EQ(daemon_->Wait(), 128 + SIGKILL);
}

TEST_F(HeldUpTest, SecondSignalEndsIt) {
  daemon_->Signal(SIGTERM);
  ASSERT_TRUE(Eventually([&] { return !mounted() && Says("detaching"); }));
  EXPECT_FALSE(daemon_->Wait(kAWhile).has_value());
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->Wait(), 32);
}

// umount(8) finds the helper, by the note that the mount left for it, and so waits as well.
TEST_F(UmountTest, UmountEightCallsTheHelper) {
  const TempDir dir;
  // In a namespace of its own, where /sbin has an umount.tarn that leaves a trace.
  const Outcome outcome = RunCommand(
      {"unshare", "--mount", "sh", "-e", "-c",
       "mkdir \"$1/sbin\" \"$1/bin\" \"$1/mnt\"\n"
       "ln -s \"$2\" \"$1/bin/umount.tarn\"\n"
       "printf '#!/bin/sh\\necho \"$@\" >%s/called\\nexec %s/bin/umount.tarn \"$@\"\\n' "
       "\"$1\" \"$1\" >\"$1/sbin/umount.tarn\"\n"
       "chmod 755 \"$1/sbin/umount.tarn\"\n"
       "mount -t overlay overlay -o \"lowerdir=$1/sbin:/usr/sbin\" /usr/sbin\n"
       "\"$2\" mount \"$3\" \"$1/mnt\" --log-file \"$1/log\"\n"
       "umount \"$1/mnt\"\n"
       "grep -q \"$1/mnt\" \"$1/called\"\n"
       "grep -q 'is unmounted from' \"$1/log\"\n",
       "sh", dir.path(), TarnPath(), server().spec()});
  EXPECT_EQ(outcome.status, 0) << outcome.output << ReadLog(dir / "log");
}

// ---- tarn sync ----------------------------------------------------------------------------------

TEST_F(UmountTest, SyncWritesWhatProgramsHaveStoredIntoMappedFiles) {
  ASSERT_EQ(Write(a() / "file", std::string(4096, '.')), 0);
  const int fd = open((a() / "file").c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  void* map = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ASSERT_NE(map, MAP_FAILED);
  memcpy(map, "stored", 6);
  const Outcome outcome = RunCommand({TarnPath(), "sync", a().path()});
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(Read(b() / "file").substr(0, 6), "stored");
  munmap(map, 4096);
  close(fd);
}

TEST_F(UmountTest, SyncWaitsForTheServer) {
  ASSERT_EQ(mkdir((a() / "dir").c_str(), 0755), 0);
  server().KillHard();
  ChildProcess sync({TarnPath(), "sync", a() / "dir"});
  EXPECT_FALSE(sync.Wait(kAWhile).has_value());
  server().Start();
  EXPECT_EQ(sync.Wait(), 0);
}

TEST_F(UmountTest, SyncOfSomethingElseFailsAndNamesIt) {
  const TempDir dir;
  const Outcome outcome = RunCommand({TarnPath(), "sync", dir / "x"});
  EXPECT_EQ(outcome.status, 32);
  EXPECT_NE(outcome.output.find(dir / "x"), std::string::npos) << outcome.output;
}

}  // namespace
}  // namespace tarn::testing
