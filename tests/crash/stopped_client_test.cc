// A client's daemon is stopped (SIGSTOP) while it caches, with files open on both sides, some of
// them lazily, and others change everything meanwhile: they wait at most a session's lifetime, and
// the stopped one goes on by itself and shows what is.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <future>

#include "tests/crash/crash.h"

namespace tarn::testing {
namespace {

// What a session may be silent, and a margin for looking and fencing.
constexpr std::chrono::seconds kLifetimeAndMore = kShortLifetime + std::chrono::seconds(20);

class StoppedClientTest : public CrashTest {
 protected:
  static constexpr int kFiles = 40;

  std::vector<std::string> server_flags() const override { return ShortLifetime(); }
  void SetUp() override;
  void TearDown() override {
    if (!IsSkipped()) Continue();
    CrashTest::TearDown();
  }
  void Stop() { b().client().Signal(SIGSTOP); }
  void Continue() { b().client().Signal(SIGCONT); }
  // A changes all there is: names, attributes, contents, through names and open descriptors.
  std::string Change();
  // The first look of a name, an attribute and a content each must show the change.
  std::string SeesChange(RealMount& mount);

  Fd lazy_kept_, lazy_unlinked_, read_, read_unlinked_, written_, others_;
};

void StoppedClientTest::SetUp() {
  CrashTest::SetUp();
  if (IsSkipped()) return;
  ASSERT_EQ(mkdir((a() / "d").c_str(), 0755), 0);
  for (int i = 0; i < kFiles; ++i) ASSERT_EQ(Write(a() / ("d/" + std::to_string(i)), "old"), 0);
  for (const char* name : {"lazy", "lazy-unlinked", "read", "read-unlinked", "written"}) {
    ASSERT_EQ(Write(a() / name, "old"), 0);
    ASSERT_EQ(SizeOf(b() / name), 3);
  }
  others_ = Fd(a() / "written", O_RDWR);
  ASSERT_EQ(List(b() / "d").size(), size_t{kFiles});
  for (int i = 0; i < kFiles; ++i) ASSERT_EQ(Read(b() / ("d/" + std::to_string(i))), "old");
  ASSERT_FALSE(Exists(b() / "new"));
  lazy_kept_ = Fd(b() / "lazy", O_RDONLY);
  lazy_unlinked_ = Fd(b() / "lazy-unlinked", O_RDONLY);
  read_ = Fd(b() / "read", O_RDONLY);
  read_unlinked_ = Fd(b() / "read-unlinked", O_RDONLY);
  written_ = Fd(b() / "written", O_RDWR);
  ASSERT_EQ(read_.ReadAll(), "old");
  ASSERT_EQ(read_unlinked_.ReadAll(), "old");
  ASSERT_EQ(written_.WriteAt("own", 0), 0);
}

std::string StoppedClientTest::Change() {
  for (const char* name : {"lazy", "read"}) {
    if (Write(a() / name, "changed") != 0) return "write";
  }
  for (const char* name : {"lazy-unlinked", "read-unlinked"}) {
    if (unlink((a() / name).c_str()) != 0) return Oops(name, errno);
  }
  if (const int error = others_.WriteAt("changed", 0)) return Oops("write", error);
  for (int i = 0; i < kFiles; ++i) {
    const std::string path = a() / ("d/" + std::to_string(i));
    int result = 0;
    if (i % 4 == 0) result = unlink(path.c_str());
    if (i % 4 == 1) result = rename(path.c_str(), (path + "moved").c_str());
    if (i % 4 == 2) result = chmod(path.c_str(), 0600);
    if (i % 4 == 3 && Append(path, "er") != 0) return "append";
    if (result != 0) return Oops(path, errno);
  }
  return Write(a() / "new", "new") == 0 ? "" : "create";
}

std::string StoppedClientTest::SeesChange(RealMount& mount) {
  if (Read(mount / "lazy") != "changed") return "lazy shows " + Read(mount / "lazy");
  if (Read(mount / "read") != "changed") return "read shows " + Read(mount / "read");
  if (Read(mount / "written") != "changed") return "written shows " + Read(mount / "written");
  if (Read(mount / "new") != "new") return "new is not there";
  for (const char* name : {"lazy-unlinked", "read-unlinked"}) {
    if (Exists(mount / name)) return std::string(name) + " is still there";
  }
  for (int i = 0; i < kFiles; ++i) {
    const std::string path = mount / ("d/" + std::to_string(i));
    struct stat s = {};
    const bool there = lstat(path.c_str(), &s) == 0;
    if (there != (i % 4 > 1)) return path + (there ? " is still there" : " is gone");
    if (i % 4 == 1 && Read(path + "moved") != "old") return path + " did not move";
    if (i % 4 == 2 && (s.st_mode & 0777) != 0600) return path + " has the old mode";
    if (i % 4 == 3 && Read(path) != "older") return path + " shows " + Read(path);
  }
  return "";
}

TEST_F(StoppedClientTest, ThatGoesOnInTimeHasLostNothing) {
  Stop();
  std::future<std::string> change = std::async(std::launch::async, [this] { return Change(); });
  // Long enough for the change to be under way.
  EXPECT_EQ(change.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  Continue();
  MustEnd([&] { return change.get(); });
  MustEnd([this] { return SeesChange(b()); });
  EXPECT_EQ(lazy_kept_.ReadAll(), "changed");
  EXPECT_EQ(lazy_unlinked_.ReadAll(), "old");
  EXPECT_EQ(read_.ReadAll(), "changed");
  EXPECT_EQ(read_unlinked_.ReadAll(), "old");
  EXPECT_EQ(written_.ReadAll(), "changed");
  EXPECT_EQ(written_.WriteAt("B", 0), 0);
  EXPECT_EQ(others_.ReadAll(), "Bhanged");
  ExpectMountsNeverRemade();
}

TEST_F(StoppedClientTest, ThatWasFencedShowsTheNewStateAtOnceAndGoesOn) {
  Stop();
  const auto start = std::chrono::steady_clock::now();
  MustEnd([this] { return Change(); }, kLifetimeAndMore);
  std::printf("the others waited %.1f s\n",
              std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  EXPECT_EQ(SeesChange(a()), "");
  EXPECT_EQ(SeesChange(c()), "");
  Continue();
  MustEnd([this] { return SeesChange(b()); });
  // What still has a name has lost nothing.
  EXPECT_EQ(lazy_kept_.ReadAll(), "changed");
  EXPECT_EQ(read_.ReadAll(), "changed");
  EXPECT_EQ(written_.ReadAll(), "changed");
  EXPECT_EQ(written_.WriteAt("B", 0), 0);
  EXPECT_EQ(others_.ReadAll(), "Bhanged");
  // What lost its last name meanwhile may be gone, but shows nothing wrong.
  for (const Fd* fd : {&lazy_unlinked_, &read_unlinked_}) {
    const std::string seen = fd->ReadAll();
    EXPECT_TRUE(seen == "old" || seen == "!EIO" || seen == "!ESTALE") << seen;
    std::printf("a file that was unlinked meanwhile: %s\n", seen.c_str());
  }
  EXPECT_EQ(Write(b() / "again", "b"), 0);
  EXPECT_EQ(Read(c() / "again"), "b");
  ExpectMountsNeverRemade();
}

}  // namespace
}  // namespace tarn::testing
