// kill -9 of a client in the middle of untar and of an SQLite load: what others see is a prefix of
// what it did, the database is sound, and within the session's lifetime its locks and orphans go.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <random>

#include "tests/crash/crash.h"

namespace tarn::testing {
namespace {

constexpr int kFiles = 2000;
constexpr int kFilesInDir = 100;

// $1: an archive of kFiles numbered files of various sizes in directories, in their order.
constexpr char kMakeArchive[] = R"sh(
work=$(mktemp -d "$1.XXXXXX")
cd "$work"
for ((i = 0; i < $2; ++i)); do
  d=d$((i / $3))
  if ((i % $3 == 0)); then mkdir $d; echo $d >> list; fi
  printf "%$((1 + i * 37 % 9000))s" $i > $d/$i
  echo $d/$i >> list
done
tar --no-recursion -cf "$1" -T list
rm -rf "$work"
)sh";

// The content of a file of the archive.
std::string ContentOf(int i) {
  const std::string number = std::to_string(i);
  const auto width = static_cast<size_t>(1 + i * 37 % 9000);
  return number.size() >= width ? number : std::string(width - number.size(), ' ') + number;
}

std::string NameOf(int i) {
  return "d" + std::to_string(i / kFilesInDir) + "/" + std::to_string(i);
}

// Inserts until it is killed; each commit is reported in the file $2, which is not on the mount.
constexpr char kLoad[] = R"py(
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute('create table t (number integer primary key, text text)')
db.execute('create index i on t (text)')
with open(sys.argv[2], 'w') as acknowledged:
    for n in range(10**9):
        db.execute('begin immediate')
        db.execute('insert into t values (?, ?)', (n, 'x' * (n * 131 % 3000) + str(n)))
        db.execute('commit')
        print(n, file=acknowledged, flush=True)
)py";
// Prints the check's answer, how many rows there are, and whether they are the first ones.
constexpr char kCheck[] = R"py(
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=60)
print(db.execute('pragma integrity_check').fetchone()[0])
rows = db.execute('select count(*), coalesce(max(number), -1) + 1 from t').fetchone()
print(rows[0], rows[1])
db.execute('insert into t values (-1, "written by another host")')
db.commit()
)py";

int LastLineOf(const std::string& path) {
  const std::string text = ReadLog(path);
  const size_t end = text.rfind('\n');
  if (end == std::string::npos) return -1;
  const size_t begin = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
  return std::stoi(text.substr(begin == std::string::npos ? 0 : begin + 1));
}

class ClientKillTest : public CrashTest {
 protected:
  std::vector<std::string> server_flags() const override { return ShortLifetime(); }
  void SetUp() override {
    CrashTest::SetUp();
    if (IsSkipped()) return;
    const Outcome made =
        RunShell(kMakeArchive, {dir_ / "tar", std::to_string(kFiles), std::to_string(kFilesInDir)});
    ASSERT_EQ(made.status, 0) << made.output;
  }
  // Unpacks to `number` files or a few more on `mount`, in the directory `name`, then kills the
  // client.
  void UnpackUntilKilled(RealMount& mount, const std::string& name, int number);
  void ExpectPrefix(RealMount& mount, const std::string& name);

  const TempDir dir_;
  std::mt19937 random_{std::random_device()()};
};

void ClientKillTest::UnpackUntilKilled(RealMount& mount, const std::string& name, int number) {
  ChildProcess tar({"tar", "-C", mount / name, "-xf", dir_ / "tar"}, dir_ / "output");
  EXPECT_TRUE(Eventually([&] { return Exists(mount / (name + "/" + NameOf(number))); }));
  mount.KillClient();
  tar.Wait();
}

// The files are those that were unpacked first, whole but perhaps the last.
void ClientKillTest::ExpectPrefix(RealMount& mount, const std::string& name) {
  int there = 0;
  while (there < kFiles && Exists(mount / (name + "/" + NameOf(there)))) ++there;
  size_t names = 0;
  for (const std::string& dir : List(mount / name)) {
    names += List(mount / (name + "/" + dir)).size();
  }
  EXPECT_EQ(names, static_cast<size_t>(there)) << "a later file is there and an earlier is not";
  for (int i = 0; i < there; ++i) {
    const std::string seen = Read(mount / (name + "/" + NameOf(i)));
    const std::string expected = ContentOf(i);
    if (i + 1 < there) {
      ASSERT_EQ(seen, expected) << NameOf(i);
    } else {
      ASSERT_EQ(seen, expected.substr(0, seen.size()));
    }
  }
  std::printf("%d of %d files were unpacked\n", there, kFiles);
}

TEST_F(ClientKillTest, DuringUntarLeavesAPrefixOfIt) {
  const int kills = IsTestLong() ? 30 : 4;
  // Beforehand: who changes what a dead client cached waits until the server thinks it silent.
  for (int kill = 0; kill < kills; ++kill) {
    ASSERT_EQ(mkdir((a() / ("tree" + std::to_string(kill))).c_str(), 0755), 0);
  }
  for (int kill = 0; kill < kills; ++kill) {
    RealMount killed(server().spec());
    const std::string name = "tree" + std::to_string(kill);
    const auto number = static_cast<int>(random_() % 600);
    UnpackUntilKilled(killed, name, number);
    ExpectPrefix(a(), name);
    ExpectPrefix(b(), name);
  }
}

TEST_F(ClientKillTest, LeavesASoundDatabaseAndItsLocksAndOrphansGo) {
  if (RunCommand({"python3", "-c", "import sqlite3"}).status != 0) {
    GTEST_SKIP() << "needs python3 with sqlite3";
  }
  const auto usage = UsageOf(a().path());
  const int kills = IsTestLong() ? 10 : 1;
  for (int kill = 0; kill < kills; ++kill) {
    RealMount killed(server().spec());
    const std::string acknowledged = dir_ / ("acknowledged" + std::to_string(kill));
    ChildProcess load({"python3", "-c", kLoad, killed / "db", acknowledged}, dir_ / "output");
    LockHolder holder(killed / "lock", "range");
    ASSERT_TRUE(holder.HoldsEventually());
    Fd orphan(killed / "orphan", O_RDWR | O_CREAT);
    ASSERT_EQ(orphan.WriteAt(std::string(1'000'000, 'o'), 0), 0);
    ASSERT_EQ(unlink((a() / "orphan").c_str()), 0);
    const auto enough = static_cast<int>(20 + random_() % 100);
    EXPECT_TRUE(Eventually([&] { return LastLineOf(acknowledged) >= enough; }));
    const auto start = std::chrono::steady_clock::now();
    killed.KillClient();
    load.Wait();
    LockHolder next(a() / "lock", "range");
    const int last = LastLineOf(acknowledged);
    // SQLite's own locks may be held up by the dead client's as well.
    const Outcome checked = RunCommand({"python3", "-c", kCheck, b() / "db"});
    EXPECT_EQ(checked.status, 0) << checked.output;
    const std::string none = "ok\n" + std::to_string(last + 1) + " " + std::to_string(last + 1);
    const std::string one = "ok\n" + std::to_string(last + 2) + " " + std::to_string(last + 2);
    EXPECT_TRUE(checked.output == none + "\n" || checked.output == one + "\n")
        << checked.output << "after " << last + 1 << " acknowledged commits";
    EXPECT_TRUE(next.HoldsEventually());
    next.Stop();
    ASSERT_EQ(RunShell("cd \"$1\" && rm -f -- *", {a().path()}).status, 0);
    EXPECT_TRUE(Eventually([&] { return UsageOf(b().path()) == usage; }))
        << UsageOf(b().path()).first << " inodes are still there, " << usage.first << " were";
    std::printf("%d commits; all of the client was gone after %.1f s\n", last + 1,
                std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
}

}  // namespace
}  // namespace tarn::testing
