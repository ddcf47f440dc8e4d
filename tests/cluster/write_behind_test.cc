// What a mount writes by itself and tells later: the other mount, a server that goes away, an
// unmount, a client that dies.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <future>

#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

class WriteBehindTest : public ClusterTest {
 protected:
  std::vector<std::string> server_flags() const override { return ShortLifetime(); }
};

// A descriptor that goes with its test.
class File {
 public:
  File(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    EXPECT_GE(fd_, 0) << path;
  }
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  // All of it, or false.
  bool Write(const std::string& data) const {
    return write(fd_, data.data(), data.size()) == static_cast<ssize_t>(data.size());
  }
  int fd() const { return fd_; }
  int Close() { return close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

// Numbered, so that what is missing or in the wrong place shows.
std::string Line(int number) {
  std::string line = std::to_string(number);
  return std::string(31 - line.size(), '.') + line + "\n";
}

TEST_F(WriteBehindTest, OtherMountSeesAllThatWasWrittenWithoutAClose) {
  const File file(a() / "f", O_CREAT | O_WRONLY);
  std::string all;
  for (int round = 0; round < 40; ++round) {
    std::string some;
    for (int i = 0; i < 20'000; ++i) some += Line(round * 20'000 + i);
    ASSERT_TRUE(file.Write(some));
    all += some;
    if (round % 3 == 0) {
      ASSERT_EQ(SizeOf(b() / "f"), static_cast<int64_t>(all.size()));
    }
    if (round % 10 == 0) {
      ASSERT_TRUE(Read(b() / "f") == all) << "after round " << round;
    }
  }
  EXPECT_TRUE(Read(b() / "f") == all);
  EXPECT_TRUE(Read(a() / "f") == all);
}

// A process that appends lines when it is told to. (This one must not: whoever starts a server by
// fork and exec closes what it has open, and a close waits for the server.)
class Writer {
 public:
  explicit Writer(const std::string& file)
      : process_({"python3", "-c", kProgram, file, dir_ / ""}) {}
  // Appends the next `count` lines; true when it has, each by a write of its own.
  bool Append(int count) {
    std::ofstream(dir_ / ("go" + std::to_string(round_))) << count;
    const std::string done = dir_ / ("done" + std::to_string(round_++));
    for (int i = 0; i < count; ++i) all_ += Line(lines_++);
    return Eventually([&] { return Exists(done); });
  }
  // Syncs and ends; true if all went well.
  bool Finish() {
    std::ofstream(dir_ / ("go" + std::to_string(round_))) << 0;
    return process_.Wait() == 0;
  }
  const std::string& all() const { return all_; }

 private:
  static constexpr char kProgram[] = R"(
import os, sys, time
file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
line = turn = 0
while True:
    try:
        count = int(open(f"{sys.argv[2]}go{turn}").read())
    except (FileNotFoundError, ValueError):
        time.sleep(0.005)
        continue
    for _ in range(count):
        os.write(file, (str(line).rjust(31, ".") + "\n").encode())
        line += 1
    if count == 0:
        os.fsync(file)
        sys.exit(0)
    open(f"{sys.argv[2]}done{turn}", "w").close()
    turn += 1
)";

  const TempDir dir_;
  ChildProcess process_;
  std::string all_;
  int lines_ = 0, round_ = 0;
};

TEST_F(WriteBehindTest, FileThatOneHostWritesIsWrittenWhileTheServerIsAway) {
  Writer writer(a() / "f");
  ASSERT_TRUE(writer.Append(10));
  server().KillHard();
  ASSERT_TRUE(writer.Append(100));
  server().Start();
  ASSERT_TRUE(writer.Finish());
  EXPECT_EQ(Read(b() / "f"), writer.all());
}

TEST_F(WriteBehindTest, NobodySeesTheFileWithoutItAfterTheServerWasKilled) {
  Writer writer(a() / "f");
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(writer.Append(50));
    server().Restart();
    ASSERT_EQ(Read(b() / "f"), writer.all()) << "after restart " << round;
  }
  EXPECT_TRUE(writer.Finish());
}

TEST_F(WriteBehindTest, UnmountTellsWhatCloseDidNotWaitFor) {
  std::string all;
  {
    const std::unique_ptr<RealMount> c = MountOn(3, {"-o", "flush=fsync"});
    File file(*c / "f", O_CREAT | O_WRONLY);
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(file.Write(Line(i)));
      all += Line(i);
    }
    ASSERT_EQ(file.Close(), 0);
  }
  EXPECT_EQ(Read(b() / "f"), all);
}

TEST_F(WriteBehindTest, CloseWaitsUntilTheDataIsDurableIfAskedTo) {
  std::string all;
  const std::unique_ptr<RealMount> c = MountOn(3, {"-o", "flush=sync"});
  File file(*c / "f", O_CREAT | O_WRONLY);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(file.Write(Line(i)));
    all += Line(i);
  }
  server().KillHard();
  std::future<int> closed = std::async(std::launch::async, [&file] { return file.Close(); });
  EXPECT_EQ(closed.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  server().Start();
  EXPECT_EQ(closed.get(), 0);
  EXPECT_EQ(Read(b() / "f"), all);
}

TEST_F(WriteBehindTest, DeathOfTheWriterLosesNothingThatItHadSynced) {
  const File file(a() / "f", O_CREAT | O_WRONLY | O_APPEND);
  std::string synced;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(file.Write(Line(i)));
    synced += Line(i);
  }
  ASSERT_EQ(fsync(file.fd()), 0);
  std::string all = synced;
  for (int i = 100; i < 200; ++i) {
    ASSERT_TRUE(file.Write(Line(i)));
    all += Line(i);
  }
  a().KillClient();
  const std::string seen = Read(b() / "f");  // waits for the dead one's session to end
  EXPECT_TRUE(seen.starts_with(synced));
  EXPECT_TRUE(all.starts_with(seen));
}

}  // namespace
}  // namespace tarn::testing
