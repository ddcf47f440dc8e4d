// What makes the hosts of other file systems wait for each other for ever: changes, reads, mappings
// and stopped daemons in all the orders that random threads find. Each must go on within the limit.
//
// A test that hangs kills the clients, which ends the system calls that hang, and fails.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <future>
#include <utility>

#include "tests/cluster/cluster.h"

namespace tarn::testing {
namespace {

constexpr size_t kPageBytes = 4096;

std::string Oops(const std::string& what) {
  return what + ": " + strerrorname_np(errno);
}

class Fd {
 public:
  Fd(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  const int fd_;
};

// A shared mapping of a file's first page.
class Mapping {
 public:
  Mapping(const Fd& file, int protection)
      : at_(mmap(nullptr, kPageBytes, protection, MAP_SHARED, file.get(), 0)) {}
  ~Mapping() {
    if (ok()) munmap(at_, kPageBytes);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  bool ok() const { return at_ != MAP_FAILED; }
  // Reads through the mapping. By a system call, which fails where a plain access would be killed
  // because the file ends before the page.
  bool Touch() const {
    char byte;
    const iovec to = {&byte, 1}, from = {at_, 1};
    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
  }

 private:
  void* const at_;
};

class DeadlockTest : public ClusterTest {
 protected:
  // Runs `step` in `threads` threads until they have done `steps` together.
  void MustDo(int steps, int threads, const Load::Step& step) {
    Load load(threads, step);
    const bool goes_on = load.Progresses(steps);
    if (!goes_on && load.done() < steps) KillClients();
    EXPECT_EQ(load.Stop(), "");
    EXPECT_TRUE(goes_on) << "after " << load.done() << " steps nothing went on";
  }
  // Runs `work`, which must end within the limit.
  void MustEnd(const std::function<std::string()>& work) {
    std::future<std::string> done = std::async(std::launch::async, work);
    const bool ended = done.wait_for(kPatience) == std::future_status::ready;
    if (!ended) KillClients();
    EXPECT_EQ(done.get(), "");
    EXPECT_TRUE(ended) << "did not end by itself";
  }
  RealMount& host(int thread) { return thread % 2 == 0 ? a() : b(); }

 private:
  void KillClients() {
    a().KillClient();
    b().KillClient();
  }
};

constexpr int kSteps = 1500;

TEST_F(DeadlockTest, TwoHostsChangeOneDirectory) {
  constexpr int kNames = 4;
  ASSERT_EQ(mkdir((a() / "d").c_str(), 0755), 0);
  MustDo(kSteps / 2, 4, [this](int thread, int number) -> std::string {
    const std::string dir = host(thread) / "d/";
    const std::string name = dir + std::to_string(number % kNames);
    const std::string other = dir + std::to_string((number + thread) % kNames) + "x";
    const std::string own = dir + "own" + std::to_string(thread);
    if (mkdir(own.c_str(), 0755) != 0 || rmdir(own.c_str()) != 0) return Oops(own);
    (void)Write(name, "x");
    if (rename(name.c_str(), other.c_str()) != 0 && errno != ENOENT) return Oops("rename");
    (void)Exists(name);
    if (unlink(other.c_str()) != 0 && errno != ENOENT) return Oops("unlink");
    (void)List(dir);
    return "";
  });
}

TEST_F(DeadlockTest, BothWriteOnePartialPageThatBothHaveCachedAndMapped) {
  ASSERT_EQ(Write(a() / "f", std::string(kPageBytes / 2, '.')), 0);
  MustDo(kSteps, 4, [this](int thread, int number) -> std::string {
    constexpr size_t kPart = 100;
    const Fd reader(host(thread) / "f", O_RDONLY), writer(host(thread) / "f", O_RDWR);
    if (!reader.ok() || !writer.ok()) return Oops("open");
    const Mapping mapping(reader, PROT_READ);
    if (!mapping.ok() || !mapping.Touch()) return Oops("map");
    char seen[kPart];
    if (pread(reader.get(), seen, kPart, 0) != kPart) return Oops("read");
    const std::string mine(kPart, static_cast<char>('a' + number % 26));
    const auto at = static_cast<off_t>(kPart) * thread;
    if (pwrite(writer.get(), mine.data(), kPart, at) != kPart) return Oops("write");
    if (pread(writer.get(), seen, kPart, at) != kPart) return Oops("read back");
    return std::string(seen, kPart) == mine ? "" : "lost what was written";
  });
}

TEST_F(DeadlockTest, BothStoreIntoOneMappedFile) {
  constexpr size_t kPages = 4;
  ASSERT_EQ(Write(a() / "f", std::string(kPages * kPageBytes, '.')), 0);
  MustDo(kSteps / 5, 4, [this](int thread, int number) -> std::string {
    const Fd file(host(thread) / "f", O_RDWR);
    if (!file.ok()) return Oops("open");
    const size_t size = kPages * kPageBytes;
    void* const at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (at == MAP_FAILED) return Oops("map");
    static_cast<char*>(at)[static_cast<size_t>(number) * 1000 % size] = 'x';
    std::string wrong;
    if (number % 2 == 0 && msync(at, size, MS_SYNC) != 0) wrong = Oops("msync");
    munmap(at, size);
    return wrong;
  });
}

TEST_F(DeadlockTest, ReadsAreUnderWayWhileTheFileIsChanged) {
  constexpr size_t kBytes = 1024 * 1024;
  ASSERT_EQ(Write(a() / "f", std::string(kBytes, 'a')), 0);
  MustDo(kSteps / 2, 4, [this](int thread, int number) -> std::string {
    if (thread < 2) {
      const Fd file(host(thread) / "f", O_RDWR);
      const std::string page(kPageBytes, static_cast<char>('a' + number % 26));
      const off_t at = static_cast<off_t>(kPageBytes) * (number * 7 % (kBytes / kPageBytes));
      return pwrite(file.get(), page.data(), page.size(), at) == ssize_t{kPageBytes}
                 ? ""
                 : Oops("write");
    }
    const Fd file(host(thread) / "f", O_RDONLY);
    posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    std::string content(kBytes, '\0');
    size_t size = 0;
    while (size < kBytes) {
      const ssize_t got = read(file.get(), content.data() + size, 128 * 1024);
      if (got <= 0) return Oops("read");
      size += static_cast<size_t>(got);
    }
    for (size_t page = 0; page < kBytes; page += kPageBytes) {
      const char letter = content[page];
      if (content.find_first_not_of(letter, page) < page + kPageBytes) return "a torn page";
    }
    return "";
  });
}

TEST_F(DeadlockTest, FilesAreCutReplacedAndRemovedUnderReadersAndMappings) {
  constexpr int kFiles = 3;
  MustDo(kSteps, 6, [this](int thread, int number) -> std::string {
    const std::string path = host(thread) / ("f" + std::to_string(number % kFiles));
    const auto gone = [] { return errno == ENOENT; };
    if (thread >= 2) {
      const Fd file(path, O_RDONLY);
      if (!file.ok()) return gone() ? "" : Oops("open");
      const Mapping mapping(file, PROT_READ);
      char buffer[kPageBytes];
      struct stat s;
      if (pread(file.get(), buffer, sizeof buffer, 0) < 0) return Oops("read");
      if (mapping.ok()) (void)mapping.Touch();
      return fstat(file.get(), &s) == 0 ? "" : Oops("fstat");
    }
    switch (number / kFiles % 4) {
      case 0:
        return Write(path, std::string(kPageBytes + 100, 'x')) == 0 ? "" : "write failed";
      case 1:
        return truncate(path.c_str(), number % 2 * 50) == 0 || gone() ? "" : Oops("truncate");
      case 2: {
        const std::string temporary = path + "." + std::to_string(thread);
        if (Write(temporary, "new") != 0) return "write failed";
        return rename(temporary.c_str(), path.c_str()) == 0 ? "" : Oops("rename");
      }
      default:
        return unlink(path.c_str()) == 0 || gone() ? "" : Oops("unlink");
    }
  });
}

TEST_F(DeadlockTest, FilesThatOthersWriteAreListedWithTheirAttributes) {
  constexpr int kFiles = 20;
  for (int i = 0; i < kFiles; ++i) ASSERT_EQ(Write(a() / ("f" + std::to_string(i)), ""), 0);
  std::atomic<int> listings{0};
  MustDo(kSteps, 6, [&](int thread, int number) -> std::string {
    if (thread == 0) {
      const auto outcome = RunCommand({"ls", "-l", a().path()});
      ++listings;
      return outcome.status == 0 ? "" : outcome.output;
    }
    RealMount& writer = thread % 2 == 0 ? a() : b();
    return Append(writer / ("f" + std::to_string(number % kFiles)), "line\n") == 0 ? "" : "append";
  });
  EXPECT_GT(listings, 0);
}

// Stops a mount's daemon, and lets it go on at the latest when the test ends.
class Stopped {
 public:
  explicit Stopped(RealMount& mount) : mount_(mount) { mount_.client().Signal(SIGSTOP); }
  ~Stopped() { mount_.client().Signal(SIGCONT); }

 private:
  RealMount& mount_;
};

class StoppedHolderTest : public DeadlockTest {
 protected:
  void SetUp() override {
    DeadlockTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(Write(a() / "f", "old"), 0);
    ASSERT_EQ(Read(b() / "f"), "old");
    ASSERT_FALSE(Exists(b() / "g"));
  }
  std::string Change() {
    if (Write(a() / "f", "new") != 0) return "write";
    return rename((a() / "f").c_str(), (a() / "g").c_str()) == 0 ? "" : Oops("rename");
  }
};

TEST_F(StoppedHolderTest, ThatGoesOnAnswersAndSeesTheChange) {
  std::future<std::string> change;
  {
    const Stopped stopped(b());
    change = std::async(std::launch::async, [this] { return Change(); });
    // Long enough for the change to be under way; it may well be done.
    change.wait_for(std::chrono::milliseconds(300));
  }
  MustEnd([&] { return change.get(); });
  EXPECT_EQ(Read(b() / "g"), "new");
  EXPECT_FALSE(Exists(b() / "f"));
}

TEST_F(StoppedHolderTest, ThatStaysSilentIsNotWaitedForLongerThanItsLifetime) {
  {
    const Stopped stopped(b());
    MustEnd([this] { return Change(); });
    EXPECT_EQ(Read(a() / "g"), "new");
  }
  // Names, attributes and contents alike: nothing of what it knew may be left.
  EXPECT_TRUE(Eventually([this] { return Read(b() / "g") == "new"; }));
  EXPECT_FALSE(Exists(b() / "f"));
}

class ManyLeasesTest : public DeadlockTest {
 protected:
  static constexpr int kFiles = 5000;
  static constexpr int kThreads = 4;
  // `one` for every number, in parallel; it returns 0 or sets errno.
  std::string ForAll(const std::function<int(const std::string& name)>& one) {
    std::atomic<int> error{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = thread; i < kFiles; i += kThreads) {
          if (one("d/" + std::to_string(i)) != 0) error = errno;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return error == 0 ? "" : strerrorname_np(error);
  }
};

TEST_F(ManyLeasesTest, AreRecalledAtOnce) {
  ASSERT_EQ(mkdir((a() / "d").c_str(), 0755), 0);
  const auto make = [this](const std::string& name) {
    return mknod((a() / name).c_str(), S_IFREG | 0644, 0);
  };
  const auto chmod_all = [this](const std::string& name) {
    return chmod((a() / name).c_str(), 0600);
  };
  const auto rename_all = [this](const std::string& name) {
    return rename((a() / name).c_str(), (a() / (name + "x")).c_str());
  };
  const auto remove = [this](const std::string& name) {
    return unlink((a() / (name + "x")).c_str());
  };
  const auto seen = [this](const std::string& suffix, mode_t mode) {
    return ForAll([&](const std::string& name) {
      struct stat s = {};
      if (lstat((b() / (name + suffix)).c_str(), &s) != 0) return -1;
      errno = EBADE;
      return (s.st_mode & 07777) == mode ? 0 : -1;
    });
  };
  MustEnd([&] { return ForAll(make); });
  MustEnd([&] { return seen("", 0644); });
  MustEnd([&] { return ForAll(chmod_all); });
  MustEnd([&] { return seen("", 0600); });
  MustEnd([&] { return ForAll(rename_all); });
  EXPECT_EQ(List(b() / "d").size(), size_t{kFiles});
  MustEnd([&] { return seen("x", 0600); });
  MustEnd([&] { return ForAll(remove); });
  EXPECT_TRUE(List(b() / "d").empty());
}

TEST_F(DeadlockTest, FourHostsCreateInOneDirectory) {
  constexpr int kEach = 300;
  const std::unique_ptr<RealMount> c = MountOn(3), d = MountOn(4);
  RealMount* const hosts[] = {&a(), &b(), c.get(), d.get()};
  size_t expected = 0;
  for (int count = 1; count <= 4; count *= 2) {
    const auto start = std::chrono::steady_clock::now();
    MustEnd([&]() -> std::string {
      std::atomic<int> failed{0};
      std::vector<std::thread> threads;
      for (int host = 0; host < count; ++host) {
        threads.emplace_back([&, host] {
          for (int i = 0; i < kEach; ++i) {
            const std::string name =
                std::to_string(count) + "-" + std::to_string(host) + "-" + std::to_string(i);
            if (Write(*hosts[host] / name, "") != 0) ++failed;
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      return failed == 0 ? "" : "creations failed";
    });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("%d hosts: %.0f files a second\n", count, count * kEach / took.count());
    expected += static_cast<size_t>(count) * kEach;
    for (RealMount* host : hosts) EXPECT_EQ(List(host->path()).size(), expected);
  }
}

}  // namespace
}  // namespace tarn::testing
