// The network between a client and the server is cut, in both directions or in one, for longer than
// a session's lifetime, while another client changes what the first one caches. A read that starts
// after a change was acknowledged never shows what was before: it waits, or is asked. When the
// network heals the client goes on by itself, and only what lost something says EIO: what was
// being changed when the session was fenced is changed, once.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <future>

#include "tests/crash/crash.h"
#include "tests/support/lan.h"

namespace tarn::testing {
namespace {

// How long others may wait for those that are cut off, with a margin for looking and fencing.
constexpr std::chrono::seconds kLifetimeAndMore = kShortLifetime + std::chrono::seconds(20);
constexpr std::chrono::seconds kAfterwards{1};

// A mount whose way to the server can be cut, and programs that use it all the time.
class CutOff {
 public:
  // Which directions are cut.
  struct How {
    const char* name;
    bool to_server, to_client;
  };
  CutOff(RealServer& server, Lan& lan, size_t host, const How& how)
      : how_(how),
        lan_(lan),
        host_(host),
        mount_(server.spec(), {}, "", lan.Inside(host)),
        own_(std::string("own-") + how.name),
        locked_(std::string("locked-") + how.name) {}
  ~CutOff() {
    Heal();
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  CutOff(const CutOff&) = delete;
  CutOff& operator=(const CutOff&) = delete;

  void WarmUpAndWork();
  void Cut() {
    lan_.Set(host_, {.out = {.cut = how_.to_server}, .in = {.cut = how_.to_client}});
  }
  void Heal() { lan_.Set(host_, {}); }
  // Everything that `Change` changes has been acknowledged to another client.
  void NoteChanged() { changed_ = true; }
  // All threads go on after healing and see the change. "" or what went wrong.
  std::string GoesOn();
  bool ComplainsWithin(std::chrono::milliseconds limit) {
    return Eventually([this] { return complained(); }, limit);
  }
  const std::string& locked_name() const { return locked_; }
  std::string UseLocked() const;
  std::string CheckOwn(const std::string& root);
  RealMount& mount() { return mount_; }
  const char* name() const { return how_.name; }

 private:
  // What one reader looks at: "old" before the change, "new" after it.
  using Look = std::function<std::string()>;
  void ReadAllTheTime(const char* what, Look look);
  void AppendAllTheTime();
  void TagAllTheTime();
  void Complain(const std::string& what);
  bool complained() {
    const std::lock_guard lock(mu_);
    return !complaint_.empty();
  }

  const How how_;
  Lan& lan_;
  const size_t host_;
  RealMount mount_;
  const std::string own_, locked_;
  Fd held_, lock_, tagged_;
  std::atomic<bool> changed_{false}, stop_{false};
  std::atomic<int> readers_{0}, saw_new_{0}, failed_appends_{0};
  std::atomic<int> acknowledged_{0}, tags_{0};
  std::mutex mu_;
  std::string complaint_;             // Guarded by mu_.
  std::vector<std::string> records_;  // Used by the appending thread, then by CheckOwn.
  std::vector<std::thread> threads_;
};

void CutOff::Complain(const std::string& what) {
  const std::lock_guard lock(mu_);
  if (complaint_.empty()) complaint_ = std::string(how_.name) + ": " + what;
}

void CutOff::ReadAllTheTime(const char* what, Look look) {
  ++readers_;
  threads_.emplace_back([this, what, look = std::move(look)] {
    bool counted = false;
    while (!stop_) {
      const bool after = changed_;
      const std::string seen = look();
      if (seen != "new" && (after || seen != "old")) {
        Complain(std::string(what) + " showed " + seen + (after ? " after the change" : ""));
        return;
      }
      if (after && !std::exchange(counted, true)) ++saw_new_;
      poll(nullptr, 0, 1);
    }
  });
}

// Appends with a lost session's answer may fail, once each, and are then there or not; all that
// were acknowledged are there once.
void CutOff::AppendAllTheTime() {
  threads_.emplace_back([this] {
    for (int number = 0; !stop_; ++number) {
      const std::string record = std::to_string(number) + "\n";
      const int error = Append(mount_ / own_, record);
      if (error == 0) {
        records_.push_back(record);
        ++acknowledged_;
      } else if (error == EIO) {
        ++failed_appends_;
      } else {
        return Complain(Oops("append", error));
      }
      poll(nullptr, 0, 5);
    }
  });
}

// An attribute that is not there yet is set, and then removed, and each once, whatever becomes of
// the session. Through a descriptor, so that nothing else is asked of the server in between.
void CutOff::TagAllTheTime() {
  ASSERT_EQ(Write(mount_ / (own_ + "-tagged"), ""), 0);
  tagged_ = Fd(mount_ / (own_ + "-tagged"), O_RDONLY);
  threads_.emplace_back([this] {
    while (!stop_) {
      if (fsetxattr(tagged_.get(), "user.tag", "x", 1, XATTR_CREATE) != 0) {
        return Complain(Oops("setxattr", errno));
      }
      poll(nullptr, 0, 2);
      if (fremovexattr(tagged_.get(), "user.tag") != 0) {
        return Complain(Oops("removexattr", errno));
      }
      ++tags_;
      poll(nullptr, 0, 2);
    }
  });
}

void CutOff::WarmUpAndWork() {
  const auto name = [this](const char* name) { return mount_ / name; };
  held_ = Fd(name("content"), O_RDONLY);
  lock_ = Fd(name(locked_.c_str()), O_RDWR | O_CREAT);
  ASSERT_EQ(lock_.Lock(false), 0);
  ASSERT_EQ(lock_.WriteAt("mine", 0), 0);
  ReadAllTheTime("a held descriptor", [this] { return held_.ReadAll(); });
  ReadAllTheTime("a content", [path = name("content")] { return Read(path); });
  ReadAllTheTime("a mode", [path = name("mode")]() -> std::string {
    struct stat s = {};
    if (stat(path.c_str(), &s) != 0) return Oops("stat", errno);
    return (s.st_mode & 0777) == 0644 ? "old" : "new";
  });
  ReadAllTheTime("a name", [path = name("removed")] { return Exists(path) ? "old" : "new"; });
  ReadAllTheTime("an absent name", [path = name("made")] { return Exists(path) ? "new" : "old"; });
  ReadAllTheTime("a listing", [path = name("dir")]() -> std::string {
    const std::vector<std::string> names = List(path);
    if (names.size() != 1) return std::to_string(names.size()) + " entries";
    return names[0];
  });
  AppendAllTheTime();
  TagAllTheTime();
  EXPECT_TRUE(Eventually([this] { return acknowledged_ > 20 && tags_ > 20; }));
}

std::string CutOff::GoesOn() {
  const int before = acknowledged_, tags_before = tags_;
  (void)Eventually([&] {
    return complained() || (saw_new_ == readers_ && acknowledged_ > before + 10 &&
                            tags_ > tags_before + 10);
  });
  const std::lock_guard lock(mu_);
  if (!complaint_.empty()) return complaint_;
  if (saw_new_ != readers_) {
    return std::string(name()) + ": only " + std::to_string(saw_new_) + " readers went on";
  }
  if (tags_ <= tags_before + 10) return std::string(name()) + ": no attributes after healing";
  return acknowledged_ > before + 10 ? "" : std::string(name()) + ": no appends after healing";
}

// What a write through the descriptor that had the lock says, after another one has got it.
std::string CutOff::UseLocked() const {
  const int error = lock_.WriteAt("mine", 0);
  return error == 0 ? "success" : strerrorname_np(error);
}

std::string CutOff::CheckOwn(const std::string& root) {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  const std::string log = Read(root + "/" + own_);
  size_t at = 0;
  size_t unknown = 0;
  for (const std::string& record : records_) {
    // What is not known to be acknowledged was in flight when the session was lost.
    while (at < log.size() && log.compare(at, record.size(), record) != 0) {
      at = log.find('\n', at) + 1;
      ++unknown;
    }
    if (at >= log.size()) return std::string(name()) + ": lost the acknowledged " + record;
    at += record.size();
  }
  std::printf("%s: %zu appends acknowledged, %d said EIO, %zu of these were done\n", name(),
              records_.size(), failed_appends_.load(), unknown);
  return failed_appends_ <= 1 && unknown <= 1 ? "" : "more than what was under way said EIO";
}

class PartitionTest : public CrashTest {
 protected:
  static constexpr size_t kFirstCutOff = 4;  // hosts 1 to 3 are a, b and c
  std::vector<std::string> server_flags() const override { return ShortLifetime(); }
  std::unique_ptr<Lan> MakeLan() const override { return std::make_unique<Lan>(7); }
  void SetUp() override {
    CrashTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(mkdir((a() / "dir").c_str(), 0755), 0);
    for (const char* name : {"dir/old", "content", "mode", "removed"}) {
      ASSERT_EQ(Write(a() / name, "old"), 0);
    }
  }
  std::string Change() {
    const Fd content(a() / "content", O_WRONLY);
    if (const int error = content.WriteAt("new", 0)) return Oops("write", error);
    if (chmod((a() / "mode").c_str(), 0600) != 0) return Oops("chmod", errno);
    if (unlink((a() / "removed").c_str()) != 0) return Oops("unlink", errno);
    if (Write(a() / "made", "") != 0) return "create";
    return rename((a() / "dir/old").c_str(), (a() / "dir/new").c_str()) == 0
               ? ""
               : Oops("rename", errno);
  }
};

TEST_F(PartitionTest, NothingStaleIsShownAndEverybodyGoesOnAfterHealing) {
  constexpr CutOff::How kHows[] = {
      {"both", true, true}, {"unheard", true, false}, {"deaf", false, true}};
  std::vector<std::unique_ptr<CutOff>> all;
  for (const CutOff::How& how : kHows) {
    all.push_back(std::make_unique<CutOff>(server(), lan(), kFirstCutOff + all.size(), how));
    all.back()->WarmUpAndWork();
  }
  for (auto& one : all) one->Cut();
  const auto start = std::chrono::steady_clock::now();
  const auto passed = [start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::future<std::string> locks = std::async(std::launch::async, [&]() -> std::string {
    for (auto& one : all) {
      const Fd next(b() / one->locked_name(), O_RDWR);
      if (const int error = next.Lock(true)) return Oops("lock", error);
      if (const int error = next.WriteAt("next", 0)) return Oops("write under the lock", error);
    }
    return "";
  });
  MustEnd([this] { return Change(); }, kLifetimeAndMore);
  for (auto& one : all) one->NoteChanged();
  std::printf("the change waited %.1f s\n", passed());
  MustEnd([&] { return locks.get(); }, kLifetimeAndMore);
  std::printf("the locks were free after %.1f s\n", passed());
  // Nor does anything stale show later, whatever the cut-off ones think of their sessions' age.
  for (auto& one : all) EXPECT_FALSE(one->ComplainsWithin(kAfterwards)) << one->GoesOn();
  for (auto& one : all) one->Heal();
  for (auto& one : all) {
    EXPECT_EQ(one->GoesOn(), "");
    EXPECT_EQ(one->UseLocked(), "EIO") << one->name();
    EXPECT_EQ(Read(c() / one->locked_name()), "next") << one->name();
    EXPECT_EQ(one->CheckOwn(c().path()), "");
    EXPECT_TRUE(one->mount().client().running());
  }
}

}  // namespace
}  // namespace tarn::testing
