// What has been looked at once costs no network: the calls of a mount are read on their way to the
// server (support/relay.h) while programs look at a tree again.
#include <sys/stat.h>

#include <cstdio>
#include <ctime>

#include "tests/cluster/cluster.h"
#include "tests/support/relay.h"

namespace tarn::testing {
namespace {

constexpr std::chrono::minutes kLong{10};
// Longer than a client puts anything off: writes and returns of leases, a second.
constexpr std::chrono::milliseconds kAfterwards{1500};

// A repository with 300 files and a program of a few sources, built. $1: HOME, $2: where to.
constexpr char kMakeTrees[] = R"sh(
export HOME=$1 GIT_CONFIG_NOSYSTEM=1
git config --global user.email t@example.org
git config --global user.name T
git config --global safe.directory '*'
git init -q "$2/repository"
cd "$2/repository"
for dir in $(seq 1 20); do
  mkdir -p "d$dir/e"
  for i in $(seq 1 15); do seq "$dir" "$((dir * i * 20))" > "d$dir/e/f$i"; done
done
ln -s d1/e/f1 link
echo '*.o' > .gitignore
git add -A
git commit -q -m all
mkdir "$2/project"
cd "$2/project"
for i in $(seq 1 8); do
  echo "int f$i(int);" > "f$i.h"
  printf '#include "f%d.h"\nint f%d(int x) { return x + %d; }\n' "$i" "$i" "$i" > "f$i.c"
done
echo 'int main(void) { return 0; }' > main.c
printf '%s\n' 'all: program' 'program: main.o $(patsubst %.c,%.o,$(wildcard f*.c))' \
  '	cc -o $@ $^' 'f%.o: f%.c f%.h' '	cc -c -o $@ $<' 'include $(wildcard *.mk)' > Makefile
make > /dev/null
setfattr -n user.tag -v value f*.c
setfacl -m u:nobody:r f*.h
)sh";

struct Command {
  const char* name;
  const char* script;  // $1: HOME, $2: the mount
  // What it asks for when it is warm, as Text() says it.
  const char* asks = "";
};

constexpr Command kStatus = {
    "git --no-optional-locks status",
    "test -z \"$(HOME=$1 git -C \"$2/repository\" --no-optional-locks status --porcelain)\""};
constexpr Command kMake = {
    "make with nothing to do", "[[ $(make -C \"$2/project\") == *'Nothing to be done'* ]]"};
// Programs that walk a tree with gnulib's fts (grep, find, du, rm, chmod) ask once how large the
// file system is, of which they only want its type.
constexpr Command kGrep = {
    "grep -r", "test $(grep -r '^1[37]$' \"$2/repository\" | wc -l) -gt 100"};
constexpr Command kCommands[] = {
    kStatus,
    {"git log -p", "HOME=$1 git -C \"$2/repository\" log -p > /dev/null"},
    {"git grep", "test $(HOME=$1 git -C \"$2/repository\" grep '^1[37]$' | wc -l) -gt 100"},
    kMake,
    {"ls -lR", "ls -lR \"$2\""},
    {"getfattr -d", "test $(getfattr -R -d \"$2\" 2> /dev/null | grep -c tag=) -eq 8"},
    {"getfacl", "test $(getfacl -R \"$2\" 2> /dev/null | grep -c nobody:r--) -eq 8"},
    {"tar c", "tar -C \"$2\" -cf - . | wc -c"},
    {"grep of all files",
     "shopt -s globstar; test $(grep -s '^1[37]$' \"$2\"/repository/** | wc -l) -gt 100"},
    kGrep,
    {"find", "find \"$2\" -type f -size +1k -newer \"$2/project/Makefile\""},
};
// `git status` itself takes the index's lock, a file that it makes and removes, in case it has
// something to write down: a change of a name is a call.
constexpr Command kLockingStatus = {
    "git status", "test -z \"$(HOME=$1 git -C \"$2/repository\" status --porcelain)\"",
    "Create 1, Unlink 1"};

std::string Text(const CallCounts& calls) {
  std::string text;
  for (const auto& [name, count] : calls) {
    text += (text.empty() ? "" : ", ") + name + " " + std::to_string(count);
  }
  return text;
}

class WarmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CanMount()) GTEST_SKIP() << "needs root and /dev/fuse";
    server_ = std::make_unique<RealServer>();
    relay_ = std::make_unique<Relay>(server_->address());
  }

  RealServer& server() { return *server_; }
  RealMount& mount() { return *mount_; }
  const Relay& relay() const { return *relay_; }
  // The mount whose calls are counted.
  void Mount(const std::vector<std::string>& flags = {}) {
    mount_ = std::make_unique<RealMount>(relay_->address() + ":/default", flags);
  }
  void MakeTrees(const RealMount& on) {
    const Outcome made = RunShell(kMakeTrees, {home_.path(), on.path()}, kLong);
    ASSERT_EQ(made.status, 0) << made.output;
  }

  // The calls that the mount has made since `before`, without those that come by the clock.
  CallCounts CallsSince(const CallCounts& before) const {
    CallCounts calls = relay_->calls();
    for (const auto& [name, count] : before) calls[name] -= count;
    calls.erase("Heartbeat");
    std::erase_if(calls, [](const auto& call) { return call.second == 0; });
    return calls;
  }
  CallCounts Run(const Command& command) {
    const CallCounts before = relay_->calls();
    const Outcome outcome = RunShell(command.script, {home_.path(), mount().path()}, kLong);
    EXPECT_EQ(outcome.status, 0) << command.name << ": " << outcome.output;
    return CallsSince(before);
  }

  // Runs it until it is warm: what had changed has settled, what was asked for is known. It is when
  // four runs in a row ask for nothing but what it always asks for, and nothing comes later. A
  // single run may ask for more, for pages that the kernel dropped for its own reasons, or for what
  // somebody else on this machine looks at; but not each one of many.
  void ExpectSilentOnceWarm(const Command& command) {
    constexpr int kInARow = 4;
    const std::string cold = Text(Run(command));
    std::string last;
    int runs = 1;
    const auto is_silent = [&] {
      for (int run = 0; run < kInARow; ++run, ++runs) {
        last = Text(Run(command));
        if (last != command.asks) return false;
      }
      const CallCounts before = relay_->calls();
      Eventually([] { return false; }, kAfterwards);
      const std::string late = Text(CallsSince(before));
      if (!late.empty()) last = late + " after its end";
      return late.empty();
    };
    EXPECT_TRUE(Eventually(is_silent)) << command.name << " asks each time: " << last;
    std::printf("%s\n    first: %s\n    warm, after %d runs: %s\n", command.name,
                cold.empty() ? "nothing" : cold.c_str(), runs - kInARow,
                last.empty() ? "nothing" : last.c_str());
  }

 private:
  const TempDir home_;
  std::unique_ptr<RealServer> server_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<RealMount> mount_;
};

TEST_F(WarmTest, ProgramsThatLookAgainAtWhatAnotherMountMadeAskNothing) {
  RealMount maker(server().spec());
  ASSERT_NO_FATAL_FAILURE(MakeTrees(maker));
  Mount();
  for (const Command& command : kCommands) ExpectSilentOnceWarm(command);
  // And yet they see what another host does.
  ASSERT_EQ(Append(maker / "repository/d7/e/f7", "more"), 0);
  const Command dirty = {
      "git status of a changed file",
      "HOME=$1 git -C \"$2/repository\" status --porcelain | grep d7/e/f7"};
  EXPECT_NE(Text(Run(dirty)), "");
}

TEST_F(WarmTest, ProgramsThatLookAgainAtWhatTheyMadeAskNothing) {
  Mount();
  ASSERT_NO_FATAL_FAILURE(MakeTrees(mount()));
  for (const Command& command : kCommands) ExpectSilentOnceWarm(command);
}

TEST_F(WarmTest, GitStatusAsksForItsLockFileAndNothingElse) {
  Mount();
  ASSERT_NO_FATAL_FAILURE(MakeTrees(mount()));
  CallCounts last;
  EXPECT_TRUE(Eventually([&] {
    last = Run(kLockingStatus);
    last.erase("ReturnLeases");  // on files that are gone, now and then
    return Text(last) == kLockingStatus.asks;
  })) << Text(last);
}

TEST_F(WarmTest, EachCallIsCountedByItsName) {
  constexpr int kDirs = 30;
  Mount();
  const std::string script = "for i in $(seq " + std::to_string(kDirs) + "); do mkdir $2/$i; done";
  CallCounts calls = Run({"mkdir", script.c_str()});
  EXPECT_EQ(calls["MakeDir"], kDirs);
  EXPECT_EQ(calls["unreadable"], 0);
}

// What is read from its start is read ahead, at most a megabyte with one call.
TEST_F(WarmTest, SequentialReadIsAFewLargeCalls) {
  constexpr int64_t kMebibytes = 32;
  constexpr int kUnsettledSeconds = 3;  // a file that has just changed is read as it is asked for
  RealMount maker(server().spec());
  ASSERT_EQ(Write(maker / "big", std::string(kMebibytes << 20, 'x')), 0);
  Mount();
  struct stat s = {};
  ASSERT_TRUE(Eventually([&] {
    return stat((mount() / "big").c_str(), &s) == 0 &&
           s.st_ctime + kUnsettledSeconds < std::time(nullptr);
  }));
  CallCounts calls = Run({"cat", "test $(cat $2/big | wc -c) -eq $((32 << 20))"});
  EXPECT_GE(calls["Read"], kMebibytes);
  EXPECT_LE(calls["Read"], 2 * kMebibytes);
}

// A walk that looks at everything costs a call for many names.
TEST_F(WarmTest, WalkIsAFewCalls) {
  RealMount maker(server().spec());
  const Outcome made = RunShell("mkdir $1/d; cd $1/d; for i in $(seq 2000); do : > f$i; done",
                                {maker.path()}, kLong);
  ASSERT_EQ(made.status, 0) << made.output;
  Mount();
  CallCounts calls = Run({"find -ls", "test $(find $2/d -ls | wc -l) -eq 2001"});
  EXPECT_LE(calls["Lookup"], 20) << Text(calls);
  EXPECT_LE(calls["ReadDir"], 50) << Text(calls);
  calls = Run({"ls -l", "test $(ls -l $2/d | wc -l) -eq 2001"});
  EXPECT_LE(calls["GetXattr"], 5) << Text(calls);
}

// Once it shows that what is looked up is read, the contents come with the name.
TEST_F(WarmTest, SmallFilesAreOneCallEach) {
  RealMount maker(server().spec());
  const Outcome made = RunShell("mkdir $1/d; for i in $(seq 200); do echo $i > $1/d/f$i; done",
                                {maker.path()}, kLong);
  ASSERT_EQ(made.status, 0) << made.output;
  Mount();
  CallCounts calls =
      Run({"read each", "cd $2/d; for i in $(seq 200); do read x < f$i; test $x = $i; done"});
  EXPECT_LE(calls["Read"], 50);
  EXPECT_LE(calls["Lookup"], 210);
  EXPECT_LE(calls["Open"] + calls["GetAttr"], 10);
}

// One writes and closes, the other opens and reads what was added: a write, which the reader gives
// the file back for, and a look that brings the contents.
TEST_F(WarmTest, HandOffIsOneCallOfEach) {
  constexpr int kTurns = 100;
  const Relay of_writer(server().address());
  RealMount writer(of_writer.address() + ":/default");
  Mount();
  const CallCounts before = relay().calls();
  for (int i = 0; i < kTurns; ++i) {
    const std::string record = std::to_string(1000 + i);
    ASSERT_EQ(Append(writer / "f", record), 0);
    const std::string all = Read(mount() / "f");
    ASSERT_EQ(all.substr(4 * i), record);
  }
  CallCounts calls = CallsSince(before);
  EXPECT_LE(calls["GetAttr"], kTurns + 10);
  EXPECT_LE(calls["Read"], 10);
  EXPECT_LE(calls["Open"] + calls["Lookup"], 10);
  EXPECT_LE(calls["ReturnLeases"], kTurns + 10);
  CallCounts writes = of_writer.calls();
  EXPECT_LE(writes["Write"], kTurns + 10);
  EXPECT_LE(writes["ReturnLeases"], 10);
}

TEST_F(WarmTest, WithoutACacheTheSameCommandsAskEachTime) {
  Mount({"-o", "nocache"});
  ASSERT_NO_FATAL_FAILURE(MakeTrees(mount()));
  for (const Command& command : {kStatus, kMake, kGrep}) {
    (void)Run(command);
    const CallCounts again = Run(command);
    EXPECT_NE(Text(again), command.asks) << command.name;
    std::printf("%s\n    again: %s\n", command.name, Text(again).c_str());
  }
}

}  // namespace
}  // namespace tarn::testing
