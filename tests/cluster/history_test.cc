// Random operations of several mounts at once are linearizable: files, names, attributes, logs and
// locks, each recorded with its start and end and checked exactly (history/). The threads of one
// process stand for hosts: one clock times them all.
//
// TARN_TEST_LONG=1: four mounts, minutes. TARN_TEST_SEED=n: the operations of one seed again.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <random>

#include "tests/cluster/cluster.h"
#include "tests/cluster/history/specs.h"

namespace tarn::testing {
namespace {

using Random = std::mt19937_64;
using DirOp = DirectorySpec::Op;
using Kind = DirectorySpec::Kind;

int64_t Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  constexpr int64_t kNanosPerSecond = 1'000'000'000;
  return t.tv_sec * kNanosPerSecond + t.tv_nsec;
}

// What several threads record.
template <class Op>
class History {
 public:
  void Add(const Op& op) {
    const std::lock_guard lock(mu_);
    ops_.push_back(op);
  }
  size_t size() {
    const std::lock_guard lock(mu_);
    return ops_.size();
  }
  const std::vector<Op>& ops() const { return ops_; }  // REQUIRES: the threads have ended

 private:
  std::mutex mu_;
  std::vector<Op> ops_;
};

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& from) noexcept : fd_(std::exchange(from.fd_, -1)) {}
  Fd& operator=(Fd&& from) noexcept {
    std::swap(fd_, from.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

Fd Open(const std::string& path, int flags) {
  return Fd(open(path.c_str(), flags | O_CLOEXEC, 0644));
}
std::string Oops(const std::string& what) {
  return what + ": " + strerrorname_np(errno);
}

// Registers: each a way to set and to look at one value on a file.
enum class Way { kContent, kSize, kTime, kReplace, kEnd };
constexpr size_t kWays = static_cast<size_t>(Way::kEnd);
constexpr size_t kRegistersPerWay = 2;

class HistoryTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    if (IsSkipped()) return;
    roots_ = {a().path(), b().path()};
    if (!IsTestLong()) return;
    for (int i = 0; i < 2; ++i) {
      more_.push_back(MountOn(3 + more_.size()));
      roots_.push_back(more_.back()->path());
    }
  }
  int lanes() const { return static_cast<int>(roots_.size()) * kLanesPerMount; }
  const std::string& root(int lane) const {
    return roots_[static_cast<size_t>(lane) % roots_.size()];
  }

  // Does `step` in every lane for a while, but often enough to mean something; it returns "" or
  // what went wrong.
  void RunLanes(const std::function<std::string(int lane, Random&)>& step) {
    const char* given = std::getenv("TARN_TEST_SEED");
    const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
    std::vector<Random> randoms;
    for (int lane = 0; lane < lanes(); ++lane) randoms.emplace_back(seed * kLanesMax + lane);
    Load load(lanes(), [&](int lane, int) {
      return step(lane, randoms[static_cast<size_t>(lane)]);
    });
    const auto until = std::chrono::steady_clock::now() +
                       (IsTestLong() ? std::chrono::seconds(60) : std::chrono::seconds(3));
    (void)load.Progresses(kEnough);
    Eventually([&] { return std::chrono::steady_clock::now() >= until; }, std::chrono::minutes(2));
    EXPECT_EQ(load.Stop(), "") << "seed " << seed;
    std::printf("%d operations\n", load.done());
    EXPECT_GE(load.done(), kEnough);
  }

  static constexpr int kLanesPerMount = 2;
  static constexpr int kEnough = 100;  // operations

 private:
  std::vector<std::string> roots_;
  std::vector<std::unique_ptr<RealMount>> more_;
};

std::string PathOf(const std::string& root, size_t number) {
  return root + "/r" + std::to_string(number);
}

// "" or what went wrong.
std::string SetValue(const std::string& path, Way way, uint64_t value, int lane, Interval& when) {
  const std::string own = path + "." + std::to_string(lane);
  const Fd file = Open(way == Way::kReplace ? own : path, O_RDWR | O_CREAT);
  if (!file.ok()) return Oops("open " + path);
  const timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(value), 0}};
  if (way == Way::kReplace && pwrite(file.get(), &value, sizeof value, 0) != sizeof value) {
    return Oops("write " + own);
  }
  when.start = Now();
  int64_t got = 0;
  if (way == Way::kContent) got = pwrite(file.get(), &value, sizeof value, 0) - int{sizeof value};
  if (way == Way::kSize) got = ftruncate(file.get(), static_cast<off_t>(value));
  if (way == Way::kTime) got = futimens(file.get(), times);
  if (way == Way::kReplace) got = rename(own.c_str(), path.c_str());
  when.end = Now();
  return got == 0 ? "" : Oops("set " + path);
}

std::string GetValue(const std::string& path, Way way, uint64_t& value, Interval& when) {
  struct stat s = {};
  const bool looks = way == Way::kSize || way == Way::kTime;
  Fd file(-1);
  if (way == Way::kContent) file = Open(path, O_RDONLY);
  when.start = Now();
  if (way == Way::kReplace) file = Open(path, O_RDONLY);
  const int64_t got = looks ? stat(path.c_str(), &s) : pread(file.get(), &value, sizeof value, 0);
  when.end = Now();
  if (got != (looks ? 0 : int{sizeof value})) return Oops("look at " + path);
  if (looks) value = static_cast<uint64_t>(way == Way::kSize ? s.st_size : s.st_mtim.tv_sec);
  return "";
}

TEST_F(HistoryTest, FilesAndAttributesAreLinearizable) {
  constexpr size_t kRegisters = kWays * kRegistersPerWay;
  std::vector<History<RegisterSpec::Op>> histories(kRegisters);
  std::atomic<uint64_t> next{1};
  for (size_t number = 0; number < kRegisters; ++number) {
    Interval when;
    for (const Way way : {Way::kContent, static_cast<Way>(number % kWays)}) {
      ASSERT_EQ(SetValue(PathOf(a().path(), number), way, 0, 0, when), "");
    }
  }
  RunLanes([&](int lane, Random& random) {
    const size_t number = random() % kRegisters;
    const Way way = static_cast<Way>(number % kWays);
    const std::string path = PathOf(root(lane), number);
    RegisterSpec::Op op;
    op.lane = lane;
    op.is_write = random() % 3 == 0;
    if (op.is_write) op.value = next++;
    std::string wrong = op.is_write ? SetValue(path, way, op.value, lane, op)
                                    : GetValue(path, way, op.value, op);
    if (wrong.empty()) histories[number].Add(op);
    return wrong;
  });
  for (size_t number = 0; number < kRegisters; ++number) {
    EXPECT_EQ(Linearize<RegisterSpec>(histories[number].ops()), "")
        << "register " << number << ", way " << number % kWays;
  }
}

// One lane's part in the histories of small directories.
struct DirLane {
  Fd open{-1};
  uint64_t ino = 0;
  size_t dir = 0;
};
constexpr size_t kDirs = 2;

// Opens the name, so that later steps can act on its inode.
int OpenIn(DirLane& lane, const std::string& path, int flags, DirOp& op) {
  op.start = Now();
  Fd file = Open(path, flags);
  op.end = Now();
  const int error = file.ok() ? 0 : errno;
  struct stat s = {};
  if (file.ok() && fstat(file.get(), &s) == 0) {
    op.ino = s.st_ino;
    lane.open = std::move(file);
    lane.ino = s.st_ino;
  }
  return error;
}

// Looks at the whole directory: one operation of each name.
std::string ListInto(const std::string& dir, DirOp op, History<DirOp>& history) {
  std::array<uint64_t, kNames> seen = {};
  op.start = Now();
  DIR* stream = opendir(dir.c_str());
  if (stream == nullptr) return Oops("opendir " + dir);
  while (const dirent* entry = readdir(stream)) {
    if (entry->d_name[0] == 'n') seen[static_cast<size_t>(entry->d_name[1] - '0')] = entry->d_ino;
  }
  closedir(stream);
  op.end = Now();
  const int base = op.lane;
  for (size_t name = 0; name < kNames; ++name) {
    op.name = name;
    op.ino = seen[name];
    op.lane = base + static_cast<int>(name) * (kLanesMax / kNames);
    history.Add(op);
  }
  return "";
}

// The one system call of an operation: its result, and in `op` what was seen.
int Act(const DirLane& lane, const std::string& path, const std::string& to, DirOp& op) {
  struct stat s = {};
  int result = 0;
  op.start = Now();
  if (op.kind == Kind::kUnlink) result = unlink(path.c_str());
  if (op.kind == Kind::kRename) {
    result = renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  }
  if (op.kind == Kind::kLink) {
    result = linkat(lane.open.get(), "", AT_FDCWD, path.c_str(), AT_EMPTY_PATH);
  }
  if (op.kind == Kind::kChmod) result = fchmod(lane.open.get(), op.mode);
  if (op.kind == Kind::kAttr) result = fstat(lane.open.get(), &s);
  op.end = Now();
  if (op.kind == Kind::kAttr) {
    op.links = static_cast<uint32_t>(s.st_nlink);
    op.mode = s.st_mode & 0777;
  }
  return result == 0 ? 0 : errno;
}

std::string DirStep(DirLane& lane, const std::string& root, DirOp op, Random& random,
                    std::vector<History<DirOp>>& histories) {
  const bool acts_on_inode = op.kind >= Kind::kLink && op.kind <= Kind::kAttr;
  if (acts_on_inode && lane.ino == 0) return "";
  const size_t at = acts_on_inode ? lane.dir : random() % kDirs;
  const std::string dir = root + "/d" + std::to_string(at);
  op.name = random() % kNames;
  op.to = (op.name + 1 + random() % (kNames - 1)) % kNames;
  const std::string path = dir + "/n" + std::to_string(op.name);
  op.mode = op.kind == Kind::kChmod ? 0400 + random() % 0400 : 0644;
  if (op.kind == Kind::kLook && random() % 3 == 0) return ListInto(dir, op, histories[at]);
  if (op.kind == Kind::kCreate || op.kind == Kind::kLook) {
    const int flags = op.kind == Kind::kCreate ? O_RDWR | O_CREAT | O_EXCL : O_RDONLY;
    op.error = OpenIn(lane, path, flags, op);
    if (op.error == 0) lane.dir = at;
    if (op.kind == Kind::kLook && op.error == ENOENT) op.error = 0;
  } else {
    if (acts_on_inode) op.ino = lane.ino;
    op.error = Act(lane, path, dir + "/n" + std::to_string(op.to), op);
  }
  if (op.error != 0 && op.error != ENOENT && op.error != EEXIST) {
    return DirectorySpec::Describe(op);
  }
  histories[at].Add(op);
  return "";
}

TEST_F(HistoryTest, NamesLinksAndModesAreLinearizable) {
  std::vector<History<DirOp>> histories(kDirs);
  for (size_t dir = 0; dir < kDirs; ++dir) {
    ASSERT_EQ(mkdir((a() / ("d" + std::to_string(dir))).c_str(), 0755), 0);
  }
  std::vector<DirLane> state(static_cast<size_t>(lanes()));
  RunLanes([&](int lane, Random& random) {
    constexpr size_t kKinds = static_cast<size_t>(Kind::kLook) + 1;
    DirOp op;
    op.lane = lane;
    op.kind = static_cast<Kind>(random() % (kKinds + 2) % kKinds);
    if (random() % 3 == 0) op.kind = Kind::kLook;
    return DirStep(state[static_cast<size_t>(lane)], root(lane), op, random, histories);
  });
  for (const auto& history : histories) EXPECT_EQ(Linearize<DirectorySpec>(history.ops()), "");
}

TEST_F(HistoryTest, AppendsAreThereOnceInTheOrderOfTime) {
  constexpr size_t kLogMax = 4000;  // records: so that a read is one request
  constexpr size_t kReadsKept = 1500;
  History<AppendOp> appends;
  History<LogRead> reads;
  std::atomic<uint64_t> next{1};
  ASSERT_EQ(Write(a() / "log", ""), 0);
  const auto read_all = [](const std::string& path, std::vector<uint64_t>& records) {
    const std::string bytes = Read(path);
    if (bytes.size() % sizeof(uint64_t) != 0) return "a torn record, or " + bytes.substr(0, 20);
    records.resize(bytes.size() / sizeof(uint64_t));
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(records.data()));
    return std::string();
  };
  RunLanes([&](int lane, Random& random) -> std::string {
    const std::string path = root(lane) + "/log";
    if (random() % 3 == 0 || next > kLogMax) {
      LogRead read;
      read.lane = lane;
      read.start = Now();
      const std::string wrong = read_all(path, read.records);
      read.end = Now();
      if (reads.size() < kReadsKept) reads.Add(read);
      return wrong;
    }
    AppendOp op;
    op.lane = lane;
    op.record = next++;
    const Fd file = Open(path, O_WRONLY | O_APPEND);
    op.start = Now();
    const bool ok = write(file.get(), &op.record, sizeof op.record) == sizeof op.record;
    op.end = Now();
    if (!ok) return Oops("append");
    appends.Add(op);
    return "";
  });
  std::vector<uint64_t> log;
  ASSERT_EQ(read_all(b() / "log", log), "");
  EXPECT_EQ(CheckLog(appends.ops(), reads.ops(), log), "");
}

TEST_F(HistoryTest, LocksExcludeAndLoseNoUpdate) {
  History<Interval> held;
  ASSERT_EQ(Write(a() / "counter", std::string(sizeof(uint64_t), '\0')), 0);
  std::atomic<uint64_t> rounds{0};
  RunLanes([&](int lane, Random&) -> std::string {
    const Fd file = Open(root(lane) + "/counter", O_RDWR);
    struct flock range = {};
    range.l_type = F_WRLCK;
    if (!file.ok() || fcntl(file.get(), F_OFD_SETLKW, &range) != 0) return Oops("lock");
    Interval when{lane, Now(), 0};
    uint64_t value = 0;
    if (pread(file.get(), &value, sizeof value, 0) != sizeof value) return Oops("read");
    ++value;
    if (pwrite(file.get(), &value, sizeof value, 0) != sizeof value) return Oops("write");
    when.end = Now();
    range.l_type = F_UNLCK;
    if (fcntl(file.get(), F_OFD_SETLK, &range) != 0) return Oops("unlock");
    held.Add(when);
    ++rounds;
    return "";
  });
  EXPECT_EQ(CheckExclusion(held.ops()), "");
  uint64_t value = 0;
  const std::string bytes = Read(b() / "counter");
  ASSERT_EQ(bytes.size(), sizeof value);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(&value));
  EXPECT_EQ(value, rounds);
}

// The negative control: what the other tests would say of a client that keeps what it was told to
// drop.
TEST_F(HistoryTest, ClientThatIgnoresRecallsIsCaught) {
  const std::unique_ptr<RealMount> deaf = MountOn(3, {"-o", "test-ignore-recalls"});
  ASSERT_EQ(Write(a() / "f", std::string(sizeof(uint64_t), '\0')), 0);
  History<RegisterSpec::Op> history;
  for (uint64_t value = 0; value < 10; ++value) {
    RegisterSpec::Op set, saw;
    saw.lane = 1;
    set.is_write = true;
    set.value = value;
    ASSERT_EQ(SetValue(a() / "f", Way::kSize, value, 0, set), "");
    ASSERT_EQ(GetValue(*deaf / "f", Way::kSize, saw.value, saw), "");
    history.Add(set);
    history.Add(saw);
  }
  EXPECT_NE(Linearize<RegisterSpec>(history.ops()), "");
}

}  // namespace
}  // namespace tarn::testing
