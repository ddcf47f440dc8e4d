// What one mount has done is there for what another mount does next.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

class CoherenceTest : public ClusterTest {};

struct stat StatOf(const std::string& path) {
  struct stat s = {};
  EXPECT_EQ(lstat(path.c_str(), &s), 0) << path << " errno " << errno;
  return s;
}

// Bytes and inodes, as statfs shows them.
std::pair<uint64_t, uint64_t> UsageOf(const RealMount& mount) {
  struct statvfs s = {};
  EXPECT_EQ(statvfs(mount.path().c_str(), &s), 0);
  return {(s.f_blocks - s.f_bfree) * s.f_frsize, s.f_files - s.f_ffree};
}

TEST_F(CoherenceTest, NamesAppearAndVanishAtOnce) {
  for (int round = 0; round < 50; ++round) {
    const std::string name = "n" + std::to_string(round);
    EXPECT_FALSE(Exists(b() / name));  // a negative answer must not be remembered either
    ASSERT_EQ(mkdir((a() / name).c_str(), 0755), 0);
    EXPECT_TRUE(Exists(b() / name));
    ASSERT_EQ(rename((b() / name).c_str(), (b() / (name + "x")).c_str()), 0);
    EXPECT_FALSE(Exists(a() / name));
    EXPECT_TRUE(Exists(a() / (name + "x")));
    ASSERT_EQ(rmdir((a() / (name + "x")).c_str()), 0);
    EXPECT_FALSE(Exists(b() / (name + "x")));
  }
  EXPECT_TRUE(List(b().path()).empty());
}

TEST_F(CoherenceTest, AttributesAreSeenAtOnce) {
  ASSERT_EQ(Write(a() / "f", "x"), 0);
  for (mode_t mode = 0600; mode < 0640; ++mode) {
    ASSERT_EQ(chmod((a() / "f").c_str(), mode), 0);
    ASSERT_EQ(StatOf(b() / "f").st_mode & 07777, mode);
  }
  ASSERT_EQ(chown((b() / "f").c_str(), 7, 8), 0);
  EXPECT_EQ(StatOf(a() / "f").st_uid, 7u);
  ASSERT_EQ(setxattr((a() / "f").c_str(), "user.k", "v", 1, 0), 0);
  char value[2];
  EXPECT_EQ(getxattr((b() / "f").c_str(), "user.k", value, sizeof value), 1);
  const timespec times[2] = {{1, 2}, {3, 4}};
  ASSERT_EQ(utimensat(AT_FDCWD, (b() / "f").c_str(), times, 0), 0);
  EXPECT_EQ(StatOf(a() / "f").st_mtim.tv_nsec, 4);
  ASSERT_EQ(link((a() / "f").c_str(), (a() / "g").c_str()), 0);
  EXPECT_EQ(StatOf(b() / "f").st_nlink, 2u);
  EXPECT_EQ(StatOf(b() / "f").st_ino, StatOf(a() / "g").st_ino);
}

TEST_F(CoherenceTest, DataAndSizeAreSeenAtOnceThroughOpenDescriptors) {
  ASSERT_EQ(Write(a() / "f", ""), 0);
  const int on_a = open((a() / "f").c_str(), O_RDWR);
  const int on_b = open((b() / "f").c_str(), O_RDWR);
  ASSERT_GE(on_a, 0);
  ASSERT_GE(on_b, 0);
  for (int round = 0; round < 200; ++round) {
    const std::string text = "round " + std::to_string(round);
    const int from = round % 2 == 0 ? on_a : on_b, to = round % 2 == 0 ? on_b : on_a;
    ASSERT_EQ(pwrite(from, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    std::string seen(text.size(), '\0');
    ASSERT_EQ(pread(to, seen.data(), seen.size(), 0), static_cast<ssize_t>(seen.size()));
    ASSERT_EQ(seen, text);
    ASSERT_EQ(ftruncate(to, round * 100), 0);
    struct stat s;
    ASSERT_EQ(fstat(from, &s), 0);
    ASSERT_EQ(s.st_size, round * 100);
  }
  close(on_a);
  close(on_b);
}

TEST_F(CoherenceTest, AppendsOfTwoMountsNeverTearOrOverwrite) {
  constexpr int kRecords = 150;
  constexpr size_t kSmall = 777, kLarge = 100'003;
  const auto append = [&](RealMount& mount, char letter, size_t size) {
    const int fd = open((mount / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ASSERT_GE(fd, 0);
    for (int i = 0; i < kRecords; ++i) {
      const std::string record = std::string(size - 1, letter) + "\n";
      ASSERT_EQ(write(fd, record.data(), record.size()), static_cast<ssize_t>(size));
    }
    close(fd);
  };
  std::thread other([&] { append(b(), 'b', kLarge); });
  append(a(), 'a', kSmall);
  other.join();
  const std::string log = Read(a() / "log");
  ASSERT_EQ(log.size(), kRecords * (kSmall + kLarge));
  int records = 0;
  for (size_t at = 0; at < log.size(); ++records) {
    const size_t end = log.find('\n', at);
    ASSERT_NE(end, std::string::npos);
    ASSERT_EQ(end - at + 1, log[at] == 'a' ? kSmall : kLarge) << "record " << records;
    ASSERT_EQ(log.find_first_not_of(log[at], at), end);
    at = end + 1;
  }
  EXPECT_EQ(records, 2 * kRecords);
}

TEST_F(CoherenceTest, OpenFileSurvivesUnlinkOnAnotherMount) {
  ASSERT_EQ(Write(a() / "f", "content"), 0);
  const int fd = open((a() / "f").c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(unlink((b() / "f").c_str()), 0);
  EXPECT_FALSE(Exists(a() / "f"));
  char buffer[16] = {};
  EXPECT_EQ(pread(fd, buffer, sizeof buffer, 0), 7);
  EXPECT_EQ(pwrite(fd, "CON", 3, 0), 3);
  EXPECT_EQ(pread(fd, buffer, sizeof buffer, 0), 7);
  EXPECT_EQ(std::string(buffer, 7), "CONtent");
  struct stat s;
  EXPECT_EQ(fstat(fd, &s), 0);
  EXPECT_EQ(s.st_nlink, 0u);
  close(fd);
}

TEST_F(CoherenceTest, ExclusiveCreationHasOneWinner) {
  constexpr int kNames = 200;
  std::atomic<int> won{0}, odd{0};
  const auto race = [&](RealMount& mount) {
    for (int i = 0; i < kNames; ++i) {
      const std::string path = mount / ("x" + std::to_string(i));
      const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644);
      if (fd >= 0) {
        ++won;
        close(fd);
      } else if (errno != EEXIST) {
        ++odd;
      }
    }
  };
  std::thread other([&] { race(b()); });
  race(a());
  other.join();
  EXPECT_EQ(won, kNames);
  EXPECT_EQ(odd, 0);
}

TEST_F(CoherenceTest, UsageIsSeenAtOnce) {
  const auto [bytes, inodes] = UsageOf(a());
  for (uint64_t round = 1; round <= 100; ++round) {
    const RealMount& one = round % 2 == 0 ? a() : b();
    const RealMount& other = round % 2 == 0 ? b() : a();
    ASSERT_EQ(Write(one / ("f" + std::to_string(round)), "x"), 0);
    const auto shown = UsageOf(other);
    ASSERT_EQ(shown.second, inodes + round);
    ASSERT_GE(shown.first, bytes + round);
    ASSERT_EQ(UsageOf(one), shown);
  }
}

TEST_F(CoherenceTest, UsageReturnsAfterEverythingWasRemoved) {
  const auto before = UsageOf(a());
  constexpr int kFiles = 200;
  const std::string data(100'000, 'x');
  ASSERT_EQ(mkdir((a() / "d").c_str(), 0755), 0);
  for (int i = 0; i < kFiles; ++i) ASSERT_EQ(Write(a() / ("d/f" + std::to_string(i)), data), 0);
  const auto during = UsageOf(b());
  EXPECT_GE(during.first, before.first + kFiles * data.size());
  EXPECT_EQ(during.second, before.second + kFiles + 1);
  EXPECT_EQ(RunCommand({"rm", "-rf", b() / "d"}).status, 0);
  EXPECT_TRUE(Eventually([&] { return UsageOf(a()) == before; }))
      << UsageOf(a()).first << " bytes and " << UsageOf(a()).second << " inodes are still counted, "
      << before.first << " and " << before.second << " were before";
}

}  // namespace
}  // namespace tarn::testing
