// The server dies or restarts under load, a client dies: applications wait and go on, nothing that
// was acknowledged is lost, and nothing is done twice.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>

#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

class RestartTest : public ClusterTest {
 protected:
  // Every step is a chain whose links fail if an earlier one was lost or done twice.
  std::string Step(int thread, int number);
  void ExpectAllThere(const Load& load);
  std::string DirOf(RealMount& mount, int thread) { return mount / ("t" + std::to_string(thread)); }
};

constexpr int kThreads = 4;

std::string Complaint(const char* what, int number, int error) {
  return std::string(what) + " " + std::to_string(number) + ": " + strerrorname_np(error);
}

// The record that a step appends: fixed size, so that a lost or doubled one shows in the size.
std::string Record(int number) {
  char text[32];
  std::snprintf(text, sizeof text, "record %8d\n", number);
  return text;
}

std::string RestartTest::Step(int thread, int number) {
  RealMount& mount = thread % 2 == 0 ? a() : b();
  const std::string base = DirOf(mount, thread) + "/";
  const std::string n = std::to_string(number);
  if (mkdir((base + "d" + n).c_str(), 0755) != 0) return Complaint("mkdir", number, errno);
  if (rename((base + "d" + n).c_str(), (base + "e" + n).c_str()) != 0) {
    return Complaint("rename", number, errno);
  }
  const int fd = open((base + "f" + n).c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644);
  if (fd < 0) return Complaint("create", number, errno);
  if (write(fd, n.data(), n.size()) != static_cast<ssize_t>(n.size())) {
    return Complaint("write", number, errno);
  }
  if (close(fd) != 0) return Complaint("close", number, errno);
  if (link((base + "f" + n).c_str(), (base + "g" + n).c_str()) != 0) {
    return Complaint("link", number, errno);
  }
  if (unlink((base + "f" + n).c_str()) != 0) return Complaint("unlink", number, errno);
  if (symlink(n.c_str(), (base + "l" + n).c_str()) != 0) {
    return Complaint("symlink", number, errno);
  }
  if (const int error = Append(base + "log", Record(number)); error != 0) {
    return Complaint("append", number, error);
  }
  return "";
}

// Looks from the other mount than the one that worked.
void RestartTest::ExpectAllThere(const Load& load) {
  for (int thread = 0; thread < kThreads; ++thread) {
    const std::string base = DirOf(thread % 2 == 0 ? b() : a(), thread) + "/";
    const int completed = load.completed(thread);
    EXPECT_GT(completed, 0);
    std::string expected_log;
    std::vector<std::string> expected_names = {"log"};
    for (int number = 0; number < completed; ++number) {
      expected_log += Record(number);
      for (const char* kind : {"e", "g", "l"}) {
        expected_names.push_back(kind + std::to_string(number));
      }
      ASSERT_EQ(Read(base + "g" + std::to_string(number)), std::to_string(number));
    }
    std::sort(expected_names.begin(), expected_names.end());
    EXPECT_EQ(Read(base + "log"), expected_log);
    EXPECT_EQ(List(base), expected_names);
  }
}

TEST_F(RestartTest, KilledServerLosesNothingAndRepeatsNothing) {
  for (int t = 0; t < kThreads; ++t) ASSERT_EQ(mkdir(DirOf(a(), t).c_str(), 0755), 0);
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  Load load(kThreads, [this](int thread, int number) { return Step(thread, number); });
  const int kills = IsTestLong() ? 100 : 8;
  for (int kill = 0; kill < kills; ++kill) {
    // At any moment, also while clients are coming back.
    ASSERT_TRUE(load.Progresses(static_cast<int>(random() % 25))) << load.Stop();
    server().Restart();
  }
  EXPECT_TRUE(load.Progresses(10));
  EXPECT_EQ(load.Stop(), "");
  ExpectAllThere(load);
}

TEST_F(RestartTest, CleanRestartIsInvisibleToApplications) {
  for (int t = 0; t < kThreads; ++t) ASSERT_EQ(mkdir(DirOf(a(), t).c_str(), 0755), 0);
  Load load(kThreads, [this](int thread, int number) { return Step(thread, number); });
  for (int restart = 0; restart < 3; ++restart) {
    ASSERT_TRUE(load.Progresses(10)) << load.Stop();
    EXPECT_EQ(server().StopCleanly(), 0);
    server().Start();
  }
  EXPECT_TRUE(load.Progresses(10));
  EXPECT_EQ(load.Stop(), "");
  ExpectAllThere(load);
}

TEST_F(RestartTest, OpenFilesStayOpen) {
  ASSERT_EQ(Write(a() / "f", "before"), 0);
  const int fd = open((a() / "f").c_str(), O_RDWR);
  const int unlinked = open((b() / "gone").c_str(), O_RDWR | O_CREAT, 0644);
  ASSERT_GE(fd, 0);
  ASSERT_GE(unlinked, 0);
  ASSERT_EQ(pwrite(unlinked, "orphan", 6, 0), 6);
  ASSERT_EQ(unlink((a() / "gone").c_str()), 0);
  server().Restart();
  char buffer[8] = {};
  EXPECT_EQ(pread(fd, buffer, sizeof buffer, 0), 6) << strerrorname_np(errno);
  EXPECT_EQ(pwrite(fd, "after!", 6, 0), 6) << strerrorname_np(errno);
  EXPECT_EQ(Read(b() / "f"), "after!");
  EXPECT_EQ(pread(unlinked, buffer, sizeof buffer, 0), 6) << strerrorname_np(errno);
  EXPECT_EQ(std::string(buffer, 6), "orphan");
  close(fd);
  close(unlinked);
}

TEST_F(RestartTest, AcknowledgedAndSyncedDataIsThereAfterAKill) {
  const std::string data(300'000, 'x');
  ASSERT_EQ(Write(a() / "acknowledged", data), 0);
  const int fd = open((a() / "synced").c_str(), O_WRONLY | O_CREAT, 0644);
  ASSERT_EQ(write(fd, data.data(), data.size()), static_cast<ssize_t>(data.size()));
  ASSERT_EQ(fsync(fd), 0);
  close(fd);
  server().Restart();
  EXPECT_TRUE(Read(b() / "acknowledged") == data);
  EXPECT_TRUE(Read(b() / "synced") == data);
}

TEST_F(RestartTest, CallsWaitWhileTheServerIsAway) {
  ASSERT_EQ(Write(a() / "f", "x"), 0);
  server().KillHard();
  std::atomic<bool> returned{false};
  std::string seen;
  std::thread reader([&] {
    seen = Read(a() / "f");
    returned = true;
  });
  EXPECT_FALSE(Eventually([&] { return returned.load(); }, std::chrono::milliseconds(500)));
  server().Start();
  reader.join();
  EXPECT_EQ(seen, "x");
}

class DeadClientTest : public RestartTest {
 protected:
  std::vector<std::string> server_flags() const override { return ShortLifetime(); }
};

TEST_F(DeadClientTest, DoesNotHoldOthersUp) {
  auto c = std::make_unique<RealMount>(server().spec());
  ASSERT_EQ(mkdir((*c / "d").c_str(), 0755), 0);
  ASSERT_EQ(Write(*c / "d/f", "from c"), 0);
  const int fd = open((*c / "d/f").c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  c->KillClient();
  EXPECT_EQ(Read(a() / "d/f"), "from c");
  EXPECT_EQ(Write(b() / "d/f", "from b"), 0);
  EXPECT_EQ(rename((a() / "d").c_str(), (a() / "e").c_str()), 0);
  EXPECT_EQ(Read(b() / "e/f"), "from b");
  close(fd);
  c.reset();
  RealMount again(server().spec());
  EXPECT_EQ(Read(again / "e/f"), "from b");
}

}  // namespace
}  // namespace tarn::testing
