// Eight clients at work for a long time: what the daemons need does not grow, and all see one tree.
//
// Two minutes; with TARN_TEST_LONG=1 twenty (TARN_SOAK_SECONDS).
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

// What a process has of what it could hoard.
struct Needs {
  long memory_kib = 0, threads = 0, descriptors = 0;
};

Needs NeedsOf(pid_t pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  Needs needs;
  std::ifstream status(proc + "/status");
  for (std::string line; std::getline(status, line);) {
    (void)std::sscanf(line.c_str(), "VmRSS: %ld", &needs.memory_kib);
    (void)std::sscanf(line.c_str(), "Threads: %ld", &needs.threads);
  }
  const std::filesystem::directory_iterator fds(proc + "/fd");
  needs.descriptors = std::distance(begin(fds), end(fds));
  return needs;
}

class SoakTest : public ClusterTest {
 protected:
  static constexpr size_t kClients = 8;
  static constexpr int kDirs = 8, kNames = 40;

  void SetUp() override {
    ClusterTest::SetUp();
    if (IsSkipped()) return;
    for (size_t i = 2; i < kClients; ++i) others_.push_back(MountOn(i + 1));
    for (int dir = 0; dir < kDirs; ++dir) {
      ASSERT_EQ(mkdir((a() / DirName(dir)).c_str(), 0755), 0);
    }
    for (size_t i = 0; i < kClients; ++i) randoms_.emplace_back(i);
  }
  void TearDown() override {
    others_.clear();
    ClusterTest::TearDown();
  }

  RealMount& host(size_t i) { return i == 0 ? a() : i == 1 ? b() : *others_[i - 2]; }
  static std::string DirName(int dir) { return "d" + std::to_string(dir); }
  std::vector<Needs> AllNeeds() {
    std::vector<Needs> all = {NeedsOf(server().pid())};
    for (size_t i = 0; i < kClients; ++i) all.push_back(NeedsOf(host(i).pid()));
    return all;
  }

  // Something with a name that others work on too, which may be there or not. ESTALE: it went
  // between the look and the use.
  std::string Step(size_t client) {
    std::mt19937& random = randoms_[client];
    const auto pick = [&] {
      return host(client) / (DirName(static_cast<int>(random() % kDirs)) + "/" +
                             std::to_string(random() % kNames));
    };
    const std::string path = pick();
    int error = 0;
    switch (random() % 8) {
      case 0:
      case 1:
        error = Write(path, std::string(random() % 20'000, 'w'));
        break;
      case 2:
        error = Append(path, std::string(random() % 300, 'a'));
        break;
      case 3:
        error = unlink(path.c_str()) == 0 ? 0 : errno;
        break;
      case 4:
        error = rename(path.c_str(), pick().c_str()) == 0 ? 0 : errno;
        break;
      case 5:
        error = chmod(path.c_str(), 0600 | (random() & 077)) == 0 ? 0 : errno;
        break;
      case 6:
        (void)List(host(client) / DirName(static_cast<int>(random() % kDirs)));
        break;
      default:
        if (Read(path) == "!EIO") error = EIO;
        break;
    }
    const bool fine = error == 0 || error == ENOENT || error == ESTALE;
    return fine ? "" : path + ": " + strerrorname_np(error);
  }

  // Every name with its attributes and what is in it.
  std::string TreeIn(size_t client) {
    const Outcome tree = RunShell(
        "cd \"$1\"; find . -printf '%p %i %M %n %s %T@ %C@\\n' | sort; "
        "find . -type f -print0 | sort -z | xargs -0 md5sum",
        {host(client).path()});
    return tree.status == 0 ? tree.output : "find failed: " + tree.output;
  }

  std::vector<std::unique_ptr<RealMount>> others_;
  std::vector<std::mt19937> randoms_;
};

TEST_F(SoakTest, NothingGrowsAndAllSeeOneTree) {
  const char* const asked = std::getenv("TARN_SOAK_SECONDS");
  const int seconds = asked != nullptr ? std::atoi(asked) : IsTestLong() ? 1200 : 120;
  Load load(kClients, [this](int thread, int) { return Step(static_cast<size_t>(thread)); });
  const auto work = [&](int part) {
    (void)Eventually([&] { return !load.Progresses(1); }, std::chrono::seconds(part));
  };
  work(seconds / 4);
  const std::vector<Needs> before = AllNeeds();
  work(seconds - seconds / 4);
  EXPECT_EQ(load.Stop(), "");
  const std::vector<Needs> after = AllNeeds();
  std::printf("%d operations\n", load.done());
  for (size_t i = 0; i < after.size(); ++i) {
    const std::string who = i == 0 ? "tarnd" : "client " + std::to_string(i);
    std::printf("%s: %ld -> %ld KiB, %ld -> %ld threads, %ld -> %ld descriptors\n", who.c_str(),
                before[i].memory_kib, after[i].memory_kib, before[i].threads, after[i].threads,
                before[i].descriptors, after[i].descriptors);
    // The server's memtables and caches fill up to their limits; a client has no such excuse.
    const long room_kib = i == 0 ? 700 * 1024 : 24 * 1024;
    EXPECT_LT(after[i].memory_kib, before[i].memory_kib + room_kib) << who;
    EXPECT_LE(after[i].threads, before[i].threads + 8) << who;
    EXPECT_LE(after[i].descriptors, before[i].descriptors + 8) << who;
  }
  const std::string tree = TreeIn(0);
  EXPECT_NE(tree.find("/d0"), std::string::npos) << tree;
  for (size_t i = 1; i < kClients; ++i) EXPECT_EQ(TreeIn(i), tree) << i;
}

}  // namespace
}  // namespace tarn::testing
