// Much of everything: entries in a directory, bytes in a file, inodes in a walk.
// TARN_TEST_LONG=1 takes the sizes of production.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>

#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

class ScaleTest : public ClusterTest {};

constexpr size_t kMiB = 1024 * 1024;

// Creates `count` empty files name-0… in parallel.
void MakeFiles(const std::string& dir, int count) {
  constexpr int kMakers = 8;
  std::vector<std::thread> makers;
  std::atomic<int> failed{0};
  for (int maker = 0; maker < kMakers; ++maker) {
    makers.emplace_back([&, maker] {
      for (int i = maker; i < count; i += kMakers) {
        const std::string path = dir + "/name-" + std::to_string(i);
        if (mknod(path.c_str(), S_IFREG | 0644, 0) != 0) ++failed;
      }
    });
  }
  for (std::thread& maker : makers) maker.join();
  ASSERT_EQ(failed, 0);
}

TEST_F(ScaleTest, LargeDirectoryIsListedWholeWhileAnotherMountChangesIt) {
  const int count = IsTestLong() ? 100'000 : 20'000;
  ASSERT_EQ(mkdir((a() / "d").c_str(), 0755), 0);
  MakeFiles(a() / "d", count);
  Load churn(1, [this](int, int number) -> std::string {
    const std::string path = b() / ("d/other-" + std::to_string(number % 100));
    if (const int error = Write(path, ""); error != 0) return strerrorname_np(error);
    return unlink(path.c_str()) == 0 ? "" : strerrorname_np(errno);
  });
  ASSERT_TRUE(churn.Progresses(5));
  const int before = churn.done();
  const std::vector<std::string> names = List(a() / "d");
  EXPECT_GT(churn.done(), before);  // it did change meanwhile
  EXPECT_EQ(churn.Stop(), "");
  const std::set<std::string> unique(names.begin(), names.end());
  EXPECT_EQ(unique.size(), names.size());
  int kept = 0;
  for (const std::string& name : names) kept += name.starts_with("name-") ? 1 : 0;
  EXPECT_EQ(kept, count);
}

// A megabyte of a sequence that goes on from call to call, and a sum of everything seen.
class Stream {
 public:
  void Fill(std::string& chunk) {
    for (size_t at = 0; at < chunk.size(); at += sizeof state_) {
      state_ ^= state_ << 13;
      state_ ^= state_ >> 7;
      state_ ^= state_ << 17;
      std::memcpy(chunk.data() + at, &state_, sizeof state_);
    }
  }
  void Add(const std::string& chunk) {
    for (size_t at = 0; at < chunk.size(); at += sizeof sum_) {
      uint64_t word;
      std::memcpy(&word, chunk.data() + at, sizeof word);
      constexpr uint64_t kFnvPrime = 1099511628211U;
      sum_ = (sum_ ^ word) * kFnvPrime;
    }
  }
  uint64_t sum() const { return sum_; }

 private:
  uint64_t state_ = 88172645463325252;  // xorshift
  uint64_t sum_ = 0;
};

TEST_F(ScaleTest, BigFileHasTheSameChecksumOnTheOtherMount) {
  const size_t size = (IsTestLong() ? 4096 : 512) * kMiB;
  const int writer = open((a() / "big").c_str(), O_WRONLY | O_CREAT, 0644);
  ASSERT_GE(writer, 0);
  std::string chunk(kMiB, '\0');
  Stream written, read_back;
  for (size_t done = 0; done < size; done += kMiB) {
    written.Fill(chunk);
    written.Add(chunk);
    ASSERT_EQ(write(writer, chunk.data(), kMiB), static_cast<ssize_t>(kMiB));
  }
  ASSERT_EQ(fsync(writer), 0);
  ASSERT_EQ(close(writer), 0);
  ASSERT_EQ(SizeOf(b() / "big"), static_cast<int64_t>(size));
  const int reader = open((b() / "big").c_str(), O_RDONLY);
  ASSERT_GE(reader, 0);
  for (size_t done = 0; done < size; done += kMiB) {
    ASSERT_EQ(read(reader, chunk.data(), kMiB), static_cast<ssize_t>(kMiB));
    read_back.Add(chunk);
  }
  close(reader);
  EXPECT_EQ(read_back.sum(), written.sum());
}

int64_t ResidentKiB(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoll(line.substr(6));
  }
  return -1;
}

// What the kernel keeps of names and inodes, so that it tells the daemons to forget.
void DropKernelCaches() {
  std::ofstream("/proc/sys/vm/drop_caches") << "2\n";
}

TEST_F(ScaleTest, ClientReturnsToItsSizeAfterForgettingAWalk) {
  const int count = IsTestLong() ? 1'000'000 : 50'000;
  constexpr int kDirs = 50;
  for (int dir = 0; dir < kDirs; ++dir) {
    const std::string path = a() / ("d" + std::to_string(dir));
    ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
    MakeFiles(path, count / kDirs);
  }
  RealMount walker(server().spec());
  const int64_t fresh = ResidentKiB(walker.pid());
  const auto walk = [&] {
    const auto found =
        RunCommand({"find", walker.path(), "-size", "+1k", "-type", "f"}, std::chrono::minutes(30));
    EXPECT_EQ(found.status, 0) << found.output;
  };
  // The first walk warms what a process keeps for good: allocator, threads, channels.
  walk();
  DropKernelCaches();
  const int64_t before = ResidentKiB(walker.pid());
  walk();
  const int64_t during = ResidentKiB(walker.pid());
  constexpr int64_t kSlackKiB = 16 * 1024;
  EXPECT_TRUE(Eventually([&] {
    DropKernelCaches();
    return ResidentKiB(walker.pid()) <= before + kSlackKiB;
  }));
  std::printf(
      "client, walking %d inodes: fresh %ld, after one walk %ld, after two %ld, forgotten "
      "%ld KiB; server %ld KiB\n",
      count, long{fresh}, long{before}, long{during}, long{ResidentKiB(walker.pid())},
      long{ResidentKiB(server().pid())});
}

}  // namespace
}  // namespace tarn::testing
