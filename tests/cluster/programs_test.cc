// Real programs on real trees: unpack, compare, build on two mounts, git.
#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

class ProgramsTest : public ClusterTest {};

constexpr std::chrono::minutes kLong{20};

// Fills $1 with a tree that has everything a tree can have: several thousand files of the system,
// odd owners, modes and times, hard links, symlinks, a FIFO, sparse and empty files.
constexpr char kMakeTree[] = R"sh(
mkdir -p "$1" && cd "$1"
for d in /usr/share/perl /usr/include/linux /usr/include/c++ /usr/share/zoneinfo/Europe; do
  [ ! -d "$d" ] || cp -a --parents "$d" .
done
n=0
find . -type f -print0 | sort -z > ../files
while IFS= read -r -d '' f; do
  n=$((n + 1))
  case $((n % 40)) in
    3) chown 4001:4001 "$f" ;;
    7) chmod 0600 "$f" ;;
    11) chmod 4755 "$f" ;;
    13) touch -d '1999-12-31 23:59:59.123456789' "$f" ;;
    17) ln "$f" "$f.hard" ;;
    19) ln -s "${f##*/}" "$f.soft" ;;
  esac
done < ../files
mkfifo fifo
: > empty
truncate -s 10M sparse
mkdir -m 1777 sticky
ln -s ../nowhere dangling
touch -h -d '2001-01-01 00:00:00.5' dangling
printf x > $'odd \n name'
)sh";

// Everything that find can tell of each inode below $1, and its content; directories without size.
constexpr char kDescribe[] = R"sh(
cd "$1"
find . -type d -printf '%p|d|%m|%U|%G|%n|%T@\n' | sort
find . ! -type d -printf '%p|%y|%m|%U|%G|%s|%n|%T@|%l\n' | sort
find . -type f -print0 | sort -z | xargs -0 sha256sum
)sh";

void ExpectSameText(const std::string& actual, const std::string& expected) {
  if (actual == expected) return;
  size_t at = 0;
  while (at < actual.size() && at < expected.size() && actual[at] == expected[at]) ++at;
  const size_t from = at < 150 ? 0 : at - 150;
  ADD_FAILURE() << "expected …" << expected.substr(from, 300) << "\n\ngot …"
                << actual.substr(from, 300);
}

TEST_F(ProgramsTest, UnpackedTreeIsTheSameInEveryField) {
  const TempDir local;
  const Outcome made = RunShell(kMakeTree, {local / "tree"}, kLong);
  ASSERT_EQ(made.status, 0) << made.output;
  const Outcome unpacked = RunShell(
      "tar -C \"$1\" --format=posix --numeric-owner -cf - tree | tar -C \"$2\" --numeric-owner "
      "-xpf -",
      {local.path(), a().path()}, kLong);
  ASSERT_EQ(unpacked.status, 0) << unpacked.output;
  const Outcome expected = RunShell(kDescribe, {local / "tree"}, kLong);
  ASSERT_EQ(expected.status, 0) << expected.output;
  EXPECT_GT(expected.output.size(), 100'000u);
  ExpectSameText(RunShell(kDescribe, {a() / "tree"}, kLong).output, expected.output);
  ExpectSameText(RunShell(kDescribe, {b() / "tree"}, kLong).output, expected.output);
  EXPECT_EQ(RunCommand({"rm", "-rf", b() / "tree"}, kLong).status, 0);
  EXPECT_TRUE(List(a().path()).empty());
}

// A program of many small files with a header each, built by a Makefile with a pattern rule.
constexpr char kMakeProject[] = R"sh(
mkdir -p "$1" && cd "$1"
for i in $(seq 1 40); do
  echo "int f$i(int);" > "f$i.h"
  printf '#include <stdio.h>\n#include "f%d.h"\nint f%d(int x) { return x + %d; }\n' \
    $i $i $i > "f$i.c"
done
{
  seq 1 40 | sed 's/.*/#include "f&.h"/'
  echo '#include <stdio.h>'
  echo 'int main(void) { int x = 0;'
  seq 1 40 | sed 's/.*/  x = f&(x);/'
  echo '  printf("%d\n", x); return 0; }'
} > main.c
{
  printf 'OBJ = main.o $(patsubst %%,f%%.o,$(shell seq 1 40))\n'
  printf 'program: $(OBJ)\n\tcc -o $@ $(OBJ)\nclean:\n\trm -f program *.o\n'
} > Makefile
)sh";

TEST_F(ProgramsTest, ProjectBuildsOnOneMountAndAgainOnTheOther) {
  const Outcome made = RunShell(kMakeProject, {a() / "project"}, kLong);
  ASSERT_EQ(made.status, 0) << made.output;
  for (RealMount* mount : {&a(), &b()}) {
    const Outcome built = RunShell(
        "cd \"$1\" && make clean >/dev/null && make -j2 >/dev/null && ./program && make -q program",
        {*mount / "project"}, kLong);
    EXPECT_EQ(built.status, 0) << built.output;
    EXPECT_EQ(built.output, "820\n");
  }
}

constexpr char kGit[] = R"sh(
export HOME=$1 GIT_CONFIG_NOSYSTEM=1
git config --global user.email t@example.org
git config --global user.name T
git config --global safe.directory '*'
git config --global init.defaultBranch main
cd "$2"
git init -q origin
for i in $(seq 1 200); do echo "line $i" > "origin/file-$i"; done
git -C origin add -A
git -C origin commit -q -m first
cd "$3"
git clone -q origin clone
cd clone
echo more >> file-1
git commit -q -am second
git push -q origin HEAD:refs/heads/from-clone
cd "$2"/origin
git merge -q from-clone
test "$(tail -n 1 file-1)" = more
git fsck --full --strict
git -C "$3/clone" fsck --full --strict
git gc -q
git -C "$3/clone" fetch -q
test -z "$(git -C "$3/clone" status --porcelain)"
)sh";

TEST_F(ProgramsTest, GitClonesCommitsAndChecks) {
  const TempDir home;
  const Outcome outcome = RunShell(kGit, {home.path(), a().path(), b().path()}, kLong);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
}

// The source package of a real program; needs the network. $1: scratch for apt, $2: where to.
constexpr char kFetchSource[] = R"sh(
cd "$1"
mkdir -p etc/sources.list.d lists/partial cache/archives/partial
cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
  sed -n 's/^deb /deb-src /p' > etc/sources.list || true
for f in /etc/apt/sources.list.d/*.sources; do
  [ ! -e "$f" ] || sed 's/^Types:.*/Types: deb-src/' "$f" > "etc/sources.list.d/${f##*/}"
done
apt=(-q -o Dir::Etc::sourcelist="$1/etc/sources.list" -o APT::Sandbox::User=root
     -o Dir::Etc::sourceparts="$1/etc/sources.list.d" -o Dir::State::lists="$1/lists"
     -o Dir::Cache="$1/cache")
apt-get "${apt[@]}" update
cd "$2"
apt-get "${apt[@]}" source redis
mv redis-*/ redis
)sh";

TEST_F(ProgramsTest, RedisUnpacksAndBuildsOnBothMounts) {
  if (!IsTestLong()) GTEST_SKIP() << "only with TARN_TEST_LONG=1";
  const TempDir apt, local;
  const Outcome fetched = RunShell(kFetchSource, {apt.path(), local.path()}, kLong);
  if (fetched.status != 0) GTEST_SKIP() << "no source package to be had: " << fetched.output;
  ASSERT_EQ(RunCommand({"cp", "-a", local / "redis", a() / "redis"}, kLong).status, 0);
  ExpectSameText(RunShell(kDescribe, {a() / "redis"}, kLong).output,
                 RunShell(kDescribe, {local / "redis"}, kLong).output);
  for (RealMount* mount : {&a(), &b()}) {
    const Outcome built = RunShell(
        "cd \"$1\" && make -s distclean >/dev/null 2>&1 && make -s -j2 MALLOC=libc >/dev/null 2>&1"
        " && src/redis-server --version",
        {*mount / "redis"}, kLong);
    EXPECT_EQ(built.status, 0) << built.output;
  }
}

}  // namespace
}  // namespace tarn::testing
