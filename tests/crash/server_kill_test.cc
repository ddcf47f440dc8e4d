// kill -9 of the server at random moments, a server that is stopped, clocks that step, connections
// that break, stall and lose answers, and packets that are late, overtaken and lost, with three
// clients at work: applications see nothing but a pause, everything acknowledged is there exactly
// once on every mount, and no lock has two holders.
//
// TARN_TEST_LONG=1: 220 kills. TARN_TEST_SEED=n: the operations and moments of one seed again.
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "tests/crash/crew.h"
#include "tests/support/relay.h"

namespace tarn::testing {
namespace {

class UnderLoadTest : public CrashTest {
 protected:
  void SetUp() override {
    CrashTest::SetUp();
    if (!IsSkipped()) usage_ = UsageOf(a().path());
  }
  // Ends the load and looks at everything, through each mount and a cold one.
  void ExpectAllThere(Crew& crew, Load& load, bool goes_on, std::vector<std::string> roots) {
    if (!goes_on && crew.first_wrong().empty()) KillClients();
    (void)load.Stop();
    ASSERT_EQ(crew.first_wrong(), "");
    ASSERT_TRUE(goes_on) << "after " << load.done() << " steps nothing went on";
    std::printf("%llu changes acknowledged, %llu rounds under the lock\n",
                static_cast<unsigned long long>(crew.shared().changes.load()),
                static_cast<unsigned long long>(crew.shared().rounds.load()));
    ExpectMountsNeverRemade();
    const std::unique_ptr<RealMount> cold = MountOn(1);
    roots.push_back(cold->path());
    for (const std::string& root : roots) EXPECT_EQ(crew.Check(root), "");
    // Nothing is left of what was done and undone: no orphan, no doubled inode.
    crew.CloseAndRemoveAll();
    EXPECT_TRUE(Eventually([&] { return UsageOf(a().path()) == usage_; }))
        << UsageOf(a().path()).first << " inodes and " << UsageOf(a().path()).second
        << " bytes are still counted, " << usage_.first << " and " << usage_.second
        << " were before";
  }

  const uint64_t seed_ = Seed();
  Random random_{seed_ + 1000};
  std::pair<uint64_t, uint64_t> usage_;
};

using ServerKillTest = UnderLoadTest;

TEST_F(ServerKillTest, EverythingAcknowledgedIsThereOnceOnEveryMount) {
  const std::vector<std::string> roots = {a().path(), b().path(), c().path()};
  Crew crew(roots, seed_);
  Load load(Crew::kWorkers, [&](int thread, int) { return crew.Step(thread); });
  Times starting, recovery;
  const int kills = IsTestLong() ? 220 : 25;
  bool goes_on = load.Progresses(100);
  for (int kill = 0; goes_on && kill < kills; ++kill) {
    goes_on = load.Progresses(static_cast<int>(random_() % 400));
    server().KillHard();
    const uint64_t before = crew.shared().changes;
    const auto start = std::chrono::steady_clock::now();
    server().Start();
    starting.Add(std::chrono::steady_clock::now() - start);
    if (random_() % 5 == 0) {  // again, while the clients are coming back
      server().Restart();
      continue;
    }
    goes_on = goes_on && Eventually([&] { return crew.shared().changes > before; });
    recovery.Add(std::chrono::steady_clock::now() - start);
  }
  goes_on = goes_on && load.Progresses(100);
  starting.Report("from the start of the server until it accepts connections");
  recovery.Report("from the start of the server to the first change done");
  ExpectAllThere(crew, load, goes_on, roots);
}

// Longer than a session may be silent: nobody was heard when it goes on, and nobody is to blame.
class StoppedServerTest : public UnderLoadTest {
 protected:
  std::vector<std::string> server_flags() const override { return ShortLifetime(); }
};

TEST_F(StoppedServerTest, EverybodyGoesOnWithWhatTheyHad) {
  const std::vector<std::string> roots = {a().path(), b().path(), c().path()};
  Crew crew(roots, seed_);
  Load load(Crew::kWorkers, [&](int thread, int) { return crew.Step(thread); });
  bool goes_on = load.Progresses(100);
  for (int i = 0; goes_on && i < (IsTestLong() ? 20 : 2); ++i) {
    ASSERT_EQ(kill(server().pid(), SIGSTOP), 0);
    (void)Eventually([] { return false; }, kShortLifetime + std::chrono::seconds(3));
    ASSERT_EQ(kill(server().pid(), SIGCONT), 0);
    goes_on = load.Progresses(100);
  }
  ExpectAllThere(crew, load, goes_on, roots);
}

// The time of day of the server and of all clients is set forward, and back.
class ClockStepTest : public UnderLoadTest {
 protected:
  void SetUp() override {
    Step(std::chrono::hours(0));
    setenv("TARN_TEST_CLOCK", (dir_ / "clock").c_str(), 1);
    setenv("LD_PRELOAD", TARN_CLOCK_STEP, 1);
    UnderLoadTest::SetUp();
  }
  void TearDown() override {
    unsetenv("LD_PRELOAD");
    UnderLoadTest::TearDown();
  }
  void Step(std::chrono::seconds off) {
    const int64_t seconds = off.count();
    std::fstream file(dir_ / "clock", std::ios::binary | std::ios::in | std::ios::out);
    if (!file.is_open()) file.open(dir_ / "clock", std::ios::binary | std::ios::out);
    file.write(reinterpret_cast<const char*>(&seconds), sizeof seconds);
  }
  std::chrono::seconds NewestIn(RealMount& mount) {
    struct stat s = {};
    EXPECT_EQ(Write(mount / "now", "x"), 0);
    EXPECT_EQ(stat((mount / "now").c_str(), &s), 0);
    return std::chrono::seconds(s.st_mtime - time(nullptr));
  }

 private:
  const TempDir dir_;
};

TEST_F(ClockStepTest, StepsOfAnHourHarmNothing) {
  const std::vector<std::string> roots = {a().path(), b().path(), c().path()};
  Crew crew(roots, seed_);
  Load load(Crew::kWorkers, [&](int thread, int) { return crew.Step(thread); });
  bool goes_on = load.Progresses(100);
  for (int i = 0; goes_on && i < (IsTestLong() ? 20 : 2); ++i) {
    for (const std::chrono::hours off : {std::chrono::hours(1), std::chrono::hours(0),
                                         std::chrono::hours(-1), std::chrono::hours(0)}) {
      Step(off);
      goes_on = goes_on && load.Progresses(100);
    }
  }
  Step(std::chrono::hours(1));
  EXPECT_GT(NewestIn(a()), std::chrono::minutes(50));  // the clocks do step
  EXPECT_EQ(unlink((a() / "now").c_str()), 0);
  ExpectAllThere(crew, load, goes_on, roots);
}

// Hosts on a network that delays each packet by another time, and loses some.
class PacketsTest : public UnderLoadTest {
 protected:
  std::unique_ptr<Lan> MakeLan() const override { return std::make_unique<Lan>(4, seed_); }
  void SetAll(const Link& link) {
    for (size_t host = 0; host < lan().hosts(); ++host) lan().Set(host, link);
  }
  // Works on links that are usually like `usual`; for moments one is as `worse` says.
  template <class Worse>
  void WorkOn(const Link& usual, Worse worse) {
    const std::vector<std::string> roots = {a().path(), b().path(), c().path()};
    SetAll(usual);
    Crew crew(roots, seed_);
    Load load(Crew::kWorkers, [&](int thread, int) { return crew.Step(thread); });
    bool goes_on = load.Progresses(100);
    for (int i = 0; goes_on && i < (IsTestLong() ? 200 : 10); ++i) {
      const size_t host = 1 + random_() % 3;
      lan().Set(host, worse());
      (void)Eventually([] { return false; }, std::chrono::milliseconds(random_() % 1000));
      lan().Set(host, usual);
      goes_on = load.Progresses(30);
    }
    std::printf("%llu packets were lost\n", static_cast<unsigned long long>(lan().lost()));
    SetAll({});
    ExpectAllThere(crew, load, goes_on, roots);
  }
};

TEST_F(PacketsTest, LateOvertakenAndLostOnesHarmNothing) {
  const Link bad = Link::Both({.delay = std::chrono::microseconds(500),
                               .jitter = std::chrono::microseconds(2000),
                               .loss = 0.01});
  WorkOn(bad, [&] {
    Link cut = bad;
    cut.out.cut = random_() % 3 != 0;
    cut.in.cut = !cut.out.cut || random_() % 2 == 0;
    return cut;
  });
}

TEST_F(PacketsTest, SuchOfOneDirectionHarmNothing) {
  const Path bad{.delay = std::chrono::microseconds(500),
                 .jitter = std::chrono::microseconds(5000),
                 .loss = 0.05};
  WorkOn({}, [&] {
    return random_() % 2 == 0 ? Link{.out = bad, .in = {}} : Link{.out = {}, .in = bad};
  });
}

// Clients whose connections suffer.
class NetworkTest : public UnderLoadTest {
 protected:
  static constexpr size_t kClients = 3;
  void SetUp() override {
    UnderLoadTest::SetUp();
    if (IsSkipped()) return;
    for (size_t i = 0; i < kClients; ++i) {
      relays_[i] = std::make_unique<Relay>(server().address());
      mounts_[i] = std::make_unique<RealMount>(relays_[i]->address() + ":/default");
      roots_.push_back(mounts_[i]->path());
    }
  }
  void TearDown() override {
    for (auto& mount : mounts_) {
      if (HasFailure() && mount != nullptr) std::printf("--- %s\n", ReadLog(mount->log()).c_str());
      mount.reset();
    }
    UnderLoadTest::TearDown();
  }
  // Something bad happens to one connection, for as long as `steps` take others, or none.
  bool Harm(Load& load) {
    Relay& relay = *relays_[random_() % kClients];
    const auto some = static_cast<int>(random_() % 60);
    // In the long form sometimes long enough for keepalives to notice.
    const bool for_long = IsTestLong() && random_() % 20 == 0;
    const auto moment = std::chrono::milliseconds(random_() % (for_long ? 8000 : 100));
    switch (random_() % 6) {
      case 0:
        relay.Cut();
        break;
      case 1:
        relay.LoseReplies();
        (void)Eventually([&] { return false; }, moment);
        relay.Cut();
        break;
      case 2:
        server().Restart();
        break;
      default: {
        const uint64_t way = random_() % 3;
        relay.Stall(way != 0, way != 1);
        (void)Eventually([&] { return false; }, moment);
        if (random_() % 3 == 0) relay.Cut();
        relay.Stall(false, false);
        break;
      }
    }
    return load.Progresses(some);
  }

  std::array<std::unique_ptr<Relay>, kClients> relays_;
  std::array<std::unique_ptr<RealMount>, kClients> mounts_;
  std::vector<std::string> roots_;
};

TEST_F(NetworkTest, ConnectionsThatBreakStallAndLoseAnswersHarmNothing) {
  Crew crew(roots_, seed_);
  Load load(Crew::kWorkers, [&](int thread, int) { return crew.Step(thread); });
  const int harms = IsTestLong() ? 400 : 40;
  bool goes_on = load.Progresses(100);
  for (int i = 0; goes_on && i < harms; ++i) goes_on = Harm(load);
  if (!goes_on && crew.first_wrong().empty()) {
    for (auto& mount : mounts_) mount->KillClient();
  }
  ExpectAllThere(crew, load, goes_on, roots_);
}

}  // namespace
}  // namespace tarn::testing
