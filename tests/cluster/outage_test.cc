// What a client does while its server is away: who waits, for how long, and at what cost; and a
// client that comes back after it died.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

constexpr uint32_t kUser = 1234;
// Well under a session's lifetime of 30 s, which is what must not be waited for.
constexpr std::chrono::seconds kAtOnce{15};

class OutageTest : public ClusterTest {
 protected:
  // Lets users reach the mount's directory.
  static void LetUsersPass(const RealMount& mount) {
    const std::string parent = mount.path().substr(0, mount.path().rfind('/'));
    ASSERT_EQ(chmod(parent.c_str(), 0755), 0);
  }
};

std::vector<std::string> AsUser(std::vector<std::string> argv) {
  const std::string id = std::to_string(kUser);
  argv.insert(argv.begin(), {"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups"});
  return argv;
}

// The process waits inside FUSE.
bool WaitsForAnAnswer(pid_t pid) {
  return ReadLog("/proc/" + std::to_string(pid) + "/wchan").find("request_wait_answer") !=
         std::string::npos;
}

int64_t ResidentBytes(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * getpagesize();
}

// ---- a user's first look ------------------------------------------------------------------------

// The kernel drops an answer about the root that a notification has overtaken, and goes by what it
// had. Of a root that nobody had looked at yet this was a mode that lets nobody in: EACCES.
TEST_F(OutageTest, UsersFirstLookWaitsThenSucceeds) {
  ASSERT_EQ(Write(b() / "file", "content"), 0);
  LetUsersPass(a());
  server().KillHard();
  const TempDir dir;
  ChildProcess cat(AsUser({"cat", a() / "file"}), dir / "output");
  ASSERT_TRUE(Eventually([&] { return WaitsForAnAnswer(cat.pid()); }));
  server().Start();
  EXPECT_EQ(cat.Wait(), 0);
  EXPECT_EQ(ReadLog(dir / "output"), "content");
}

TEST_F(OutageTest, OwnersFirstLookAtAPrivateDirectoryWaitsThenSucceeds) {
  ASSERT_EQ(mkdir((b() / "home").c_str(), 0700), 0);
  ASSERT_EQ(Write(b() / "home/file", "content"), 0);
  ASSERT_EQ(chown((b() / "home").c_str(), kUser, kUser), 0);
  const RealMount home(server().spec("/home"));
  LetUsersPass(home);
  server().KillHard();
  const TempDir dir;
  ChildProcess cat(AsUser({"cat", home / "file"}), dir / "output");
  ASSERT_TRUE(Eventually([&] { return WaitsForAnAnswer(cat.pid()); }));
  server().Start();
  EXPECT_EQ(cat.Wait(), 0);
  EXPECT_EQ(ReadLog(dir / "output"), "content");
}

// ---- what the kernel keeps locked ---------------------------------------------------------------

// The kernel keeps the page of a link locked while it asks for its target. Whoever empties the
// kernel after the server's death must not wait for that page: the answer waits for him.
TEST_F(OutageTest, LinkThatIsBeingReadHoldsNobodyUp) {
  ASSERT_EQ(symlink("target", (b() / "link").c_str()), 0);
  struct stat s = {};
  ASSERT_EQ(lstat((a() / "link").c_str(), &s), 0);
  server().KillHard();
  const TempDir dir;
  ChildProcess readlink({"readlink", a() / "link"}, dir / "output");
  ASSERT_TRUE(Eventually([&] { return WaitsForAnAnswer(readlink.pid()); }));
  server().Start();
  EXPECT_EQ(readlink.Wait(), 0);
  EXPECT_EQ(ReadLog(dir / "output"), "target\n");
}

// ---- what tests stand on ------------------------------------------------------------------------

// A program's start closes no copy of a descriptor through which something was written, and so
// waits for no server.
TEST_F(OutageTest, ProgramStartsWhileWhatATestHasWrittenWaits) {
  const int fd = open((a() / "file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(write(fd, "content", 7), 7);  // the last is not told
  server().KillHard();
  EXPECT_EQ(RunCommand({"true"}, kAtOnce).status, 0);
  server().Start();
  EXPECT_EQ(close(fd), 0);
}

// ---- soft,timeo= --------------------------------------------------------------------------------

TEST_F(OutageTest, SoftMountAnswersEIOAndGoesOnAfterwards) {
  const RealMount soft(server().spec(), {"-o", "soft,timeo=10"});
  ASSERT_EQ(mkdir((a() / "dir").c_str(), 0755), 0);
  ASSERT_TRUE(Exists(soft / "dir"));
  server().KillHard();
  // Names that this mount cannot know.
  struct stat s = {};
  EXPECT_EQ(stat((soft / "dir/unknown").c_str(), &s) == 0 ? 0 : errno, EIO);
  EXPECT_EQ(mkdir((soft / "dir/made").c_str(), 0755) == 0 ? 0 : errno, EIO);
  EXPECT_EQ(Append(soft / "dir/log", "x"), EIO);
  server().Start();
  // The connection comes back by itself; what failed may have been done all the same, once.
  ASSERT_TRUE(Eventually([&] {
    return stat((soft / "dir/unknown").c_str(), &s) != 0 && errno == ENOENT;
  }));
  const int again = mkdir((soft / "dir/made").c_str(), 0755) == 0 ? 0 : errno;
  EXPECT_TRUE(again == 0 || again == EEXIST) << again;
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(Append(soft / "dir/log", "record\n"), 0) << i;
  }
  EXPECT_EQ(Read(b() / "dir/log"), Read(soft / "dir/log"));
}

TEST_F(OutageTest, SoftMountWaitsForALockAsLongAsTheServerLives) {
  const RealMount soft(server().spec(), {"-o", "soft,timeo=5"});
  ASSERT_EQ(Write(a() / "file", ""), 0);
  LockHolder holder(a() / "file", "range");
  ASSERT_TRUE(holder.HoldsEventually());
  ChildProcess waiter({"flock", "--timeout", "60", soft / "file", "true"});
  LockHolder range(soft / "file", "range");
  EXPECT_FALSE(range.HoldsEventually(std::chrono::seconds(3)));
  holder.Stop();
  EXPECT_TRUE(range.HoldsEventually());
  EXPECT_EQ(waiter.Wait(), 0);
}

TEST_F(OutageTest, HardMountWaitsLongerThanTimeo) {
  const RealMount hard(server().spec(), {"-o", "hard,timeo=1,retrans=2"});
  server().KillHard();
  ChildProcess make({"mkdir", hard / "dir"});
  ASSERT_TRUE(Eventually([&] { return WaitsForAnAnswer(make.pid()); }));
  EXPECT_FALSE(make.Wait(std::chrono::seconds(2)).has_value());
  server().Start();
  EXPECT_EQ(make.Wait(), 0);
  EXPECT_TRUE(Exists(b() / "dir"));
}

// ---- those who are killed -----------------------------------------------------------------------

// Their files are closed by the kernel, and a close waits for the server. Theirs does not; what
// they wrote is told nevertheless.
TEST_F(OutageTest, KilledWriterGoesAtOnceAndWhatItWroteIsKept) {
  const TempDir dir;
  constexpr char kWriter[] = R"py(
import os, sys, time
mount, signs = sys.argv[1:]
file = os.open(mount + "/file", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
for _ in range(3): os.write(file, b"line\n")
os.mkdir(signs + "/ready")
while not os.path.exists(signs + "/go"): time.sleep(0.01)
os.write(file, b"last\n")
os.fsync(file)
)py";
  ChildProcess writer({"python3", "-c", kWriter, a().path(), dir.path()});
  ASSERT_TRUE(Eventually([&] { return Exists(dir / "ready"); }));
  server().KillHard();
  ASSERT_EQ(Write(dir / "go", ""), 0);
  ASSERT_TRUE(Eventually([&] { return WaitsForAnAnswer(writer.pid()); }));
  writer.Signal(SIGKILL);
  EXPECT_EQ(writer.Wait(kAtOnce), 128 + SIGKILL);
  server().Start();
  EXPECT_TRUE(Eventually([&] { return Read(b() / "file") == "line\nline\nline\nlast\n"; }));
}

// ---- memory -------------------------------------------------------------------------------------

// A waiting request keeps what it carries, at most 1 MiB, and each thread of a process has one.
TEST_F(OutageTest, MemoryOfTheClientIsBoundedByWhoWaits) {
  constexpr int kWriters = 64;
  constexpr int kRounds = 4;
  constexpr int64_t kMebibyte = 1 << 20;
  constexpr int64_t kEachMax = 2 * kMebibyte, kBesides = 48 * kMebibyte;
  const std::string block(kMebibyte, 'x');
  std::vector<int> files;
  for (int i = 0; i < kWriters; ++i) {
    files.push_back(open((a() / ("f" + std::to_string(i))).c_str(), O_CREAT | O_WRONLY, 0644));
    ASSERT_GE(files.back(), 0);
  }
  ASSERT_EQ(pwrite(files[0], block.data(), block.size(), 0), kMebibyte);
  const int64_t before = ResidentBytes(a().pid());
  server().KillHard();
  std::atomic<int> written = 0, failed = 0;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        const ssize_t size = pwrite(files[i], block.data(), block.size(), round * kMebibyte);
        const bool ok = size == kMebibyte;
        ++(ok ? written : failed);
      }
    });
  }
  int64_t most = 0;
  // For a while that is long against every retry of the client's.
  Eventually([&] {
    most = std::max(most, ResidentBytes(a().pid()));
    return false;
  }, std::chrono::seconds(IsTestLong() ? 120 : 12));
  EXPECT_EQ(written, 0);
  EXPECT_GT(most - before, kWriters * kMebibyte / 2) << "they do not wait in the client";
  EXPECT_LT(most - before, kWriters * kEachMax + kBesides);
  std::printf("%d writers of 1 MiB: resident %ld MiB before, at most %ld MiB meanwhile\n", kWriters,
              before / kMebibyte, most / kMebibyte);
  server().Start();
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(written, kWriters * kRounds);
  for (const int file : files) close(file);
  for (int i = 0; i < kWriters; ++i) {
    EXPECT_EQ(SizeOf(b() / ("f" + std::to_string(i))), kRounds * kMebibyte);
  }
}

// ---- a client that died -------------------------------------------------------------------------

TEST_F(OutageTest, RemountAfterADeathFreesWhatTheDeadHeld) {
  ASSERT_EQ(Write(a() / "locked", ""), 0);
  ASSERT_EQ(Write(a() / "cached", "old"), 0);
  ASSERT_EQ(Read(a() / "cached"), "old");
  auto dead = std::make_unique<LockHolder>(a() / "locked", "range");
  ASSERT_TRUE(dead->HoldsEventually());
  LockHolder waiter(b() / "locked", "range");
  a().KillClient();
  std::atomic<int> result = -1;
  std::thread writer([&] { result = Write(b() / "cached", "new"); });
  EXPECT_FALSE(waiter.HoldsEventually(std::chrono::seconds(1)));
  a().Remount();
  EXPECT_TRUE(waiter.HoldsEventually(kAtOnce));
  EXPECT_TRUE(Eventually([&] { return result == 0; }, kAtOnce));
  writer.join();
  EXPECT_EQ(Read(a() / "cached"), "new");
  EXPECT_NE(ReadLog(server().log()).find("is replaced"), std::string::npos);
}

}  // namespace
}  // namespace tarn::testing
