// The server restarts while clients hold thousands of cached entries and files that are open, but
// of which the server knows nothing: afterwards the caches are right, and what is open can be read.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "tests/crash/crash.h"

namespace tarn::testing {
namespace {

constexpr int kFiles = 2000;
constexpr int kOpens = 500;  // the first of them, opened on B and not read
constexpr int kRead = 200;   // the first of those that are not open: B has their pages

enum class How { kTerminated, kKilled };

class WarmRestartTest : public CrashTest, public ::testing::WithParamInterface<How> {
 protected:
  void SetUp() override {
    CrashTest::SetUp();
    if (IsSkipped()) return;
    usage_ = UsageOf(a().path());
    ASSERT_EQ(mkdir((a() / "d").c_str(), 0755), 0);
    for (int i = 0; i < kFiles; ++i) ASSERT_EQ(Write(a() / Name(i), Content(i)), 0);
    // Listed with attributes, then looked up: so that the opens need nothing of the server.
    ASSERT_EQ(List(b() / "d").size(), size_t{kFiles});
    for (int i = 0; i < kFiles; ++i) ASSERT_EQ(SizeOf(b() / Name(i)), Size(i));
    for (int i = 0; i < kOpens; ++i) opens_.emplace_back(b() / Name(i), O_RDONLY);
    for (const Fd& fd : opens_) ASSERT_TRUE(fd.ok());
    for (int i = kOpens; i < kOpens + kRead; ++i) ASSERT_EQ(Read(b() / Name(i)), Content(i));
    for (int i = 0; i < kFiles; i += 100) ASSERT_FALSE(Exists(b() / (Name(i) + "new")));
  }
  static std::string Name(int i) { return "d/f" + std::to_string(i); }
  static std::string Content(int i) { return "content of " + std::to_string(i); }
  static int64_t Size(int i) { return static_cast<int64_t>(Content(i).size()); }
  void Restart() {
    if (GetParam() == How::kKilled) server().KillHard();
    if (GetParam() == How::kTerminated) {
      EXPECT_EQ(server().StopCleanly(), 0);
    }
    server().Start();
  }
  // What A does to each file, as soon as the server answers.
  enum class Fate { kStays, kUnlinked, kReplaced, kWritten, kMoved, kModeChanged };
  static Fate FateOf(int i) { return static_cast<Fate>(i % 6); }
  std::string Change(int i);
  std::string SeenRight(RealMount& mount, int i);

  std::vector<Fd> opens_;
  std::pair<uint64_t, uint64_t> usage_;
};

std::string WarmRestartTest::Change(int i) {
  const std::string path = a() / Name(i);
  int result = 0;
  switch (FateOf(i)) {
    case Fate::kStays:
      return "";
    case Fate::kUnlinked:
      result = unlink(path.c_str());
      break;
    case Fate::kReplaced:
      if (Write(path + ".tmp", "replaced") != 0) return "write";
      result = rename((path + ".tmp").c_str(), path.c_str());
      break;
    case Fate::kWritten:
      if (Append(path, " more") != 0) return "append";
      break;
    case Fate::kMoved:
      result = rename(path.c_str(), (path + "new").c_str());
      break;
    case Fate::kModeChanged:
      result = chmod(path.c_str(), 0600);
      break;
  }
  return result == 0 ? "" : Oops(path, errno);
}

std::string WarmRestartTest::SeenRight(RealMount& mount, int i) {
  const Fate fate = FateOf(i);
  const std::string path = mount / Name(i);
  if ((fate == Fate::kUnlinked || fate == Fate::kMoved) && Exists(path)) return path + " is there";
  if (fate == Fate::kUnlinked) return "";
  const std::string at = fate == Fate::kMoved ? path + "new" : path;
  const std::string expected = fate == Fate::kReplaced  ? "replaced"
                               : fate == Fate::kWritten ? Content(i) + " more"
                                                        : Content(i);
  struct stat s = {};
  if (lstat(at.c_str(), &s) != 0) return Oops(at, errno);
  if (s.st_size != static_cast<int64_t>(expected.size())) return at + " has the wrong size";
  const mode_t mode = fate == Fate::kModeChanged ? 0600 : 0644;
  if ((s.st_mode & 07777) != mode) return at + " has the wrong mode";
  const std::string seen = Read(at);
  return seen == expected ? "" : at + " shows " + seen;
}

TEST_P(WarmRestartTest, CachesAreRightAndOpenFilesCanBeRead) {
  Restart();
  constexpr int kChanged = kOpens + kRead;
  MustEnd([this] {
    std::string wrong;
    for (int i = 0; wrong.empty() && i < kChanged; ++i) wrong = Change(i);
    return wrong;
  });
  MustEnd([this]() -> std::string {
    for (int i = 0; i < kOpens; ++i) {
      const std::string expected = FateOf(i) == Fate::kWritten ? Content(i) + " more" : Content(i);
      const std::string seen = opens_[static_cast<size_t>(i)].ReadAll();
      if (seen != expected) return Name(i) + ", open since before, shows " + seen;
    }
    return "";
  });
  MustEnd([this] {
    std::string wrong;
    for (int i = 0; wrong.empty() && i < kChanged; ++i) wrong = SeenRight(b(), i);
    for (int i = 0; wrong.empty() && i < kChanged; ++i) wrong = SeenRight(c(), i);
    return wrong;
  });
  for (int i = kChanged; i < kFiles; ++i) ASSERT_EQ(SizeOf(b() / Name(i)), Size(i));
  EXPECT_EQ(List(b() / "d"), List(a() / "d"));
  // Those that were unlinked or replaced go with their last close, and nothing else is left over.
  opens_.clear();
  EXPECT_EQ(RunShell("cd \"$1\" && rm -rf d", {b().path()}).status, 0);
  EXPECT_TRUE(Eventually([this] { return UsageOf(a().path()) == usage_; }));
  ExpectMountsNeverRemade();
}

INSTANTIATE_TEST_SUITE_P(Server, WarmRestartTest, ::testing::Values(How::kTerminated, How::kKilled),
                         [](const auto& p) {
                           return p.param == How::kKilled ? "Killed" : "Terminated";
                         });

}  // namespace
}  // namespace tarn::testing
