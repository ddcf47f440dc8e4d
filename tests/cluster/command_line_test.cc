// What the programs answer when they are used wrongly: an exit status, a sentence that names what
// is wrong, and nothing lost. And the forms of mounting that are not in every other test.
#include <sys/stat.h>

#include <cerrno>

#include "common/limits.h"
#include "server/store/keys.h"
#include "server/store/rocks_kv.h"
#include "tests/cluster/cluster.h"
#include "tests/support/expect.h"

namespace tarn::testing {
namespace {

constexpr int kUsage = 1, kStateUnusable = 2, kCannotListen = 3, kMountFailed = 32;

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanMount()) GTEST_SKIP() << "needs root and /dev/fuse";
    mkdir((dir_ / "mnt").c_str(), 0755);
  }
  Outcome Mount(const std::string& spec, const std::vector<std::string>& more = {}) {
    return MountAt(spec, dir_ / "mnt", more);
  }
  Outcome MountAt(const std::string& spec, const std::string& directory,
                  const std::vector<std::string>& more = {}) {
    std::vector<std::string> argv = {TarnPath(), "mount", spec, directory, "--foreground"};
    argv.insert(argv.end(), more.begin(), more.end());
    return RunCommand(argv);
  }
  Outcome Serve(const std::vector<std::string>& arguments) {
    std::vector<std::string> argv = {TarndPath()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return RunCommand(argv);
  }

  const TempDir dir_;
};

void ExpectSays(const Outcome& outcome, int status, const std::string& word) {
  EXPECT_EQ(outcome.status, status) << outcome.output;
  EXPECT_NE(outcome.output.find(word), std::string::npos)
      << "'" << word << "' is not in: " << outcome.output;
}

TEST_F(CommandLineTest, MalformedSpecIsUsageAndIsNamed) {
  const std::pair<const char*, const char*> specs_and_words[] = {
      {"nonsense", "nonsense"},         {"host", "host"},           {"host:", "host:"},
      {":/default", "name is missing"}, {"host:7433", "host:7433"}, {"host:99999:/fs", "99999"},
      {"host:abc:/fs", "abc"},
  };
  for (const auto& [spec, word] : specs_and_words) {
    SCOPED_TRACE(spec);
    ExpectSays(Mount(spec), kUsage, word);
  }
}

TEST_F(CommandLineTest, UnknownOptionIsUsageAndIsNamed) {
  ExpectSays(Mount("127.0.0.1:1:/default", {"-o", "no-such-option"}), kUsage, "no-such-option");
  ExpectSays(Mount("127.0.0.1:1:/default", {"--no-such-flag"}), kUsage, "no-such-flag");
  EXPECT_EQ(RunCommand({TarnPath(), "no-such-command"}).status, kUsage);
  ExpectSays(Serve({"--state", dir_ / "s", "--no-such-flag"}), kUsage, "no-such-flag");
}

TEST_F(CommandLineTest, UnreachableServerFailsAndIsNamed) {
  const std::string address = "127.0.0.1:" + std::to_string(FreePort());
  ExpectSays(Mount(address + ":/default"), kMountFailed, address);
}

TEST_F(CommandLineTest, MissingFileSystemOrDirectoryFailsAndIsNamed) {
  const RealServer server;
  ExpectSays(Mount(server.address() + ":/no-such-fs"), kMountFailed, "no-such-fs");
  ExpectSays(Mount(server.spec("/no/such/dir")), kMountFailed, "no/such/dir");
}

TEST_F(CommandLineTest, MissingMountPointFailsAndIsNamed) {
  const RealServer server;
  const std::string nowhere = dir_ / "nowhere", file = dir_ / "file";
  const Outcome missing = MountAt(server.spec(), nowhere);
  ExpectSays(missing, missing.status == 0 ? -1 : missing.status, nowhere);
  ASSERT_EQ(Write(file, "x"), 0);
  const Outcome no_directory = MountAt(server.spec(), file);
  ExpectSays(no_directory, no_directory.status == 0 ? -1 : no_directory.status, file);
}

TEST_F(CommandLineTest, UmountOfWhatIsNotMountedFailsAndIsNamed) {
  const Outcome outcome = RunCommand({TarnPath(), "umount", dir_ / "mnt"});
  ExpectSays(outcome, outcome.status == 0 ? -1 : outcome.status, dir_ / "mnt");
}

TEST_F(CommandLineTest, StateInUseIsRefusedWithoutHarm) {
  const RealServer server;
  ExpectSays(Serve({"--state", server.state_dir(), "--listen", "127.0.0.1:0"}), kStateUnusable,
             server.state_dir());
  const RealMount mount(server.spec());
  EXPECT_EQ(Write(mount / "f", "x"), 0);
}

TEST_F(CommandLineTest, StateOfAnotherVersionIsRefusedAndLeftAlone) {
  const std::string state = dir_ / "state";
  {
    RealServer server({.state_dir = state});
    EXPECT_EQ(Write(RealMount(server.spec()) / "f", "kept"), 0);
    EXPECT_EQ(server.StopCleanly(), 0);
  }
  const auto set_version = [&](char version) {
    auto kv = store::OpenRocksKv(state + "/control", /*create=*/false, store::MakeRocksMemory({}));
    ASSERT_OK(kv);
    store::Batch batch;
    batch.Put(store::Family::kSuper, std::string(store::kFormatKey),
              Bytes::FromString(std::string("\0\0\0", 3) + version));
    ASSERT_OK((*kv)->Write(batch, store::Tier::kMayBlock));
  };
  set_version(99);
  ExpectSays(Serve({"--state", state, "--listen", "127.0.0.1:0"}), kStateUnusable, "99");
  set_version(kFormatVersion);
  const RealServer again({.state_dir = state});
  const RealMount mount(again.spec());
  EXPECT_EQ(Read(mount / "f"), "kept");
}

TEST_F(CommandLineTest, StateThatIsNoDirectoryIsRefused) {
  ASSERT_EQ(Write(dir_ / "file", "x"), 0);
  ExpectSays(Serve({"--state", dir_ / "file", "--listen", "127.0.0.1:0"}), kStateUnusable,
             dir_ / "file");
}

TEST_F(CommandLineTest, PortInUseIsRefusedAndNamed) {
  const RealServer server;
  ExpectSays(Serve({"--state", dir_ / "other", "--listen", server.address()}), kCannotListen,
             server.address());
}

TEST_F(CommandLineTest, BeyondLoopbackNeedsInsecure) {
  ExpectSays(Serve({"--state", dir_ / "s", "--listen", "0.0.0.0:0"}), kUsage, "--insecure");
}

TEST_F(CommandLineTest, DaemonReturnsWhenTheMountAnswersAndUmountWaits) {
  const RealServer server;
  const std::string path = dir_ / "mnt";
  const Outcome mounted =
      RunCommand({TarnPath(), "mount", server.spec(), path, "--log-file", dir_ / "log"});
  ASSERT_EQ(mounted.status, 0) << mounted.output;
  EXPECT_EQ(Write(path + "/f", "x"), 0);
  EXPECT_EQ(RunCommand({"findmnt", "-n", "-r", "-o", "FSTYPE,SOURCE", path}).output,
            "fuse.tarn " + server.spec() + "\n");
  const Outcome unmounted = RunCommand({TarnPath(), "umount", path});
  EXPECT_EQ(unmounted.status, 0) << unmounted.output;
  EXPECT_FALSE(Exists(path + "/f"));
}

TEST_F(CommandLineTest, DirectoryOfAFileSystemCanBeMounted) {
  const RealServer server;
  const RealMount whole(server.spec());
  ASSERT_EQ(mkdir((whole / "a").c_str(), 0755), 0);
  ASSERT_EQ(mkdir((whole / "a/b").c_str(), 0755), 0);
  const RealMount part(server.spec("/a/b"));
  ASSERT_EQ(Write(part / "f", "x"), 0);
  EXPECT_EQ(Read(whole / "a/b/f"), "x");
  EXPECT_FALSE(Exists(part / "../a"));
}

TEST_F(CommandLineTest, ReadOnlyMountRefusesChangesWithEROFS) {
  const RealServer server;
  const RealMount writer(server.spec());
  ASSERT_EQ(Write(writer / "f", "x"), 0);
  const RealMount reader(server.spec(), {"-o", "ro"});
  EXPECT_EQ(Read(reader / "f"), "x");
  EXPECT_EQ(Write(reader / "f", "y"), EROFS);
  EXPECT_EQ(mkdir((reader / "d").c_str(), 0755), -1);
  EXPECT_EQ(errno, EROFS);
}

}  // namespace
}  // namespace tarn::testing
