// kill -9 of the server at random moments, with three clients at work: applications see nothing but
// a pause, everything acknowledged is there exactly once on every mount, and no lock has two
// holders.
//
// TARN_TEST_LONG=1: 220 kills. TARN_TEST_SEED=n: the operations and moments of one seed again.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "tests/crash/worker.h"

namespace tarn::testing {
namespace {

constexpr int kWorkers = 6;  // two on each mount

uint64_t Seed() {
  const char* given = std::getenv("TARN_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
}

class ServerKillTest : public CrashTest {
 protected:
  void SetUp() override {
    CrashTest::SetUp();
    if (IsSkipped()) return;
    std::printf("TARN_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    usage_ = UsageOf(a().path());
    ASSERT_EQ(mkdir((a() / "shared").c_str(), 0755), 0);
    ASSERT_EQ(Write(a() / "shared/counter", ""), 0);
    for (int i = 0; i < kWorkers; ++i) {
      const std::vector<std::string> roots = {root(i), root(i + 1), root(i + 2)};
      workers_.push_back(std::make_unique<Worker>(roots, i, shared_));
      randoms_.emplace_back(seed_ + static_cast<uint64_t>(i));
    }
  }
  const std::string& root(int worker) { return host(static_cast<size_t>(worker)).path(); }
  Worker& worker(size_t i) { return *workers_[i % kWorkers]; }

  std::string Step(int thread) {
    Random& random = randoms_[static_cast<size_t>(thread)];
    // The caches of the other mounts stay warm, and must show just what the worker knows.
    const std::string wrong = random() % 3 == 0 ? worker(random()).LookFrom(root(thread), random)
                                                : worker(static_cast<size_t>(thread)).Step(random);
    const std::lock_guard lock(mu_);
    if (first_wrong_.empty()) first_wrong_ = wrong;
    return wrong;
  }
  std::string first_wrong() {
    const std::lock_guard lock(mu_);
    return first_wrong_;
  }
  // Everything as it must be, seen through one mount.
  std::string Check(const std::string& root);
  std::string CheckLog(const std::string& root);

  const uint64_t seed_ = Seed();
  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Random> randoms_;
  std::pair<uint64_t, uint64_t> usage_;
  std::mutex mu_;
  std::string first_wrong_;  // Guarded by mu_.
};

std::string ServerKillTest::CheckLog(const std::string& root) {
  const std::string log = Read(root + "/shared/log");
  std::vector<int> next(kWorkers, 0);
  const size_t size = Worker::Record(0, 0).size();
  for (size_t at = 0; at < log.size(); at += size) {
    const std::string record = log.substr(at, size);
    const auto id = static_cast<size_t>(std::atoi(record.c_str())) % kWorkers;
    if (record != Worker::Record(static_cast<int>(id), next[id])) {
      return "the log holds '" + record + "' where " + std::to_string(next[id]) + " was next";
    }
    ++next[id];
  }
  for (size_t id = 0; id < kWorkers; ++id) {
    if (next[id] != worker(id).logged()) return "the log lacks records";
  }
  return "";
}

std::string ServerKillTest::Check(const std::string& root) {
  int claims = 0;
  for (size_t id = 0; id < kWorkers; ++id) {
    if (std::string wrong = worker(id).CheckAll(root); !wrong.empty()) return wrong;
    claims = std::max(claims, worker(id).claimed());
  }
  for (int i = 0; i < claims; ++i) {
    const int winners = shared_.winners[static_cast<size_t>(i)];
    if (winners != 1) {
      return "claim " + std::to_string(i) + " has " + std::to_string(winners) + " winners";
    }
  }
  uint64_t value = 0;
  const std::string counter = Read(root + "/shared/counter");
  if (shared_.rounds != 0 && counter.size() != sizeof value) return "the counter: " + counter;
  std::memcpy(&value, counter.data(), std::min(counter.size(), sizeof value));
  if (value != shared_.rounds) {
    return "counted to " + std::to_string(value) + " in " + std::to_string(shared_.rounds) +
           " rounds";
  }
  return CheckLog(root);
}

class Times {
 public:
  void Add(std::chrono::steady_clock::duration time) {
    all_.push_back(std::chrono::duration<double>(time).count());
  }
  void Report(const char* what) {
    if (all_.empty()) return;
    std::sort(all_.begin(), all_.end());
    std::printf("%s: %zu times, median %.2f s, worst %.2f s\n", what, all_.size(),
                all_[all_.size() / 2], all_.back());
  }

 private:
  std::vector<double> all_;
};

TEST_F(ServerKillTest, EverythingAcknowledgedIsThereOnceOnEveryMount) {
  Random random(seed_ + 1000);
  Load load(kWorkers, [this](int thread, int) { return Step(thread); });
  Times recovery;
  const int kills = IsTestLong() ? 220 : 25;
  bool goes_on = load.Progresses(100);
  for (int kill = 0; goes_on && kill < kills; ++kill) {
    goes_on = load.Progresses(static_cast<int>(random() % 400));
    server().KillHard();
    const uint64_t before = shared_.changes;
    const auto start = std::chrono::steady_clock::now();
    server().Start();
    if (random() % 5 == 0) {  // again, while the clients are coming back
      server().Restart();
      continue;
    }
    goes_on = goes_on && Eventually([&] { return shared_.changes > before; });
    recovery.Add(std::chrono::steady_clock::now() - start);
  }
  goes_on = goes_on && load.Progresses(100);
  if (!goes_on && first_wrong().empty()) KillClients();
  (void)load.Stop();
  ASSERT_EQ(first_wrong(), "");
  ASSERT_TRUE(goes_on) << "after " << load.done() << " steps nothing went on";
  recovery.Report("from the start of the server to the first change done");
  std::printf("%llu changes acknowledged, %llu rounds under the lock\n",
              static_cast<unsigned long long>(shared_.changes.load()),
              static_cast<unsigned long long>(shared_.rounds.load()));
  ExpectMountsNeverRemade();
  RealMount cold(server().spec());
  for (const RealMount* mount : {&a(), &b(), &c(), static_cast<RealMount*>(&cold)}) {
    EXPECT_EQ(Check(mount->path()), "");
  }
  // Nothing is left of what was done and undone: no orphan, no doubled inode.
  for (auto& worker : workers_) worker->CloseAll();
  EXPECT_EQ(RunShell("cd \"$1\" && rm -rf -- *", {b().path()}).status, 0);
  EXPECT_TRUE(Eventually([&] { return UsageOf(a().path()) == usage_; }))
      << UsageOf(a().path()).first << " inodes and " << UsageOf(a().path()).second << " bytes are "
      << "still counted, " << usage_.first << " and " << usage_.second << " were before";
}

}  // namespace
}  // namespace tarn::testing
