// The power goes at every change that the engine makes to its disk: what is left opens without
// repair, is a prefix of what was done with all that was synced, byte for byte, and keeps every
// rule that fsck knows.
//
// A random load of operations by several users runs on a disk that remembers what was synced;
// before each append, sync, creation, renaming and deletion a copy is taken. Each copy then loses
// its power, either all that was not synced or some of it, and is opened. TARN_TEST_SEED=n makes
// the same load again; TARN_TEST_LONG=1 makes ten loads and tries each copy in five ways.
#include <gmock/gmock.h>
#include <spdlog/fmt/fmt.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "server/store/fsck.h"
#include "tests/crash/local_disk.h"
#include "tests/support/random_ops.h"

namespace tarn::testing {
namespace {

using store::Family;

struct Cut {
  std::shared_ptr<BadDisk> disk;
  size_t durable = 0;  // batches that must be there
  size_t begun = 0;    // batches that may be there
};

class PowerLossTest : public ::testing::Test {
 protected:
  static constexpr size_t kCuts = 1'100;

  // Runs operations on a new disk until there are enough cuts.
  void Load(unsigned seed);
  // What is wrong after this cut, or "".
  std::string Look(const Cut& cut, unsigned seed) const;
  void LookAtAll(unsigned seed, int ways);

  std::shared_ptr<WitnessKv> witness_;
  std::vector<Cut> cuts_;
};

void PowerLossTest::Load(unsigned seed) {
  cuts_.clear();
  auto disk = BadDisk::Make();
  auto engine = OpenOn(disk, true);
  ASSERT_OK(engine);
  witness_ = std::make_shared<WitnessKv>(*engine);
  LocalStage stage(std::make_unique<BorrowedKv>(witness_));
  Mutex mu;
  disk->SetWatch([&] {
    Cut cut;
    cut.durable = witness_->durable();
    cut.disk = disk->Copy();
    cut.begun = witness_->begun();
    MutexLock lock(&mu);
    cuts_.push_back(std::move(cut));
  });
  const auto enough = [&] {
    MutexLock lock(&mu);
    return cuts_.size() >= kCuts;
  };
  RandomOps ops(seed, {});
  Players players(stage.subject());
  for (int step = 1; !enough(); ++step) {
    players.Run(ops.Next());
    if (step % 7 == 0) {
      ASSERT_OK(stage.Sync());
    }
    if (step % 50 == 0) stage.fs().ReclaimNow();
    if (step % 60 == 0) {  // a table and a shorter log
      const auto family = static_cast<Family>(step / 60 % store::kFamilies);
      ASSERT_OK((*engine)->Compact(family, "", std::string(17, '\xff'), UINT64_MAX));
    }
  }
  disk->SetWatch(nullptr);
}

std::string PowerLossTest::Look(const Cut& cut, unsigned seed) const {
  const auto disk = cut.disk->Copy();
  disk->LosePower(seed);
  auto kv = OpenOn(disk, false);
  if (!kv.ok()) return "does not open: " + kv.error().message;
  const auto digest = DigestOf(**kv);
  if (!digest.ok()) return "cannot be read: " + digest.error().message;
  if (!witness_->Had(*digest, cut.durable, cut.begun)) {
    return fmt::format("is no state between batches {} and {}", cut.durable, cut.begun);
  }
  const auto report = store::Fsck(std::make_unique<BorrowedKv>(*kv), {});
  if (!report.ok()) return "cannot be checked: " + report.error().message;
  if (!report->findings.empty()) return "is damaged: " + report->findings[0];
  const auto store = store::Store::Open(std::make_unique<BorrowedKv>(*kv), SystemClock(),
                                        false, "");
  return store.ok() ? "" : "is no file system: " + store.error().message;
}

void PowerLossTest::LookAtAll(unsigned seed, int ways) {
  std::atomic<size_t> next{0};
  Mutex mu;
  std::string first_wrong;
  auto look = [&] {
    for (size_t i; (i = next++) < cuts_.size() * static_cast<size_t>(ways);) {
      const size_t cut = i / static_cast<size_t>(ways);
      const unsigned way = i % 2 == 0 ? 0 : seed + static_cast<unsigned>(i);
      const std::string wrong = Look(cuts_[cut], way);
      MutexLock lock(&mu);
      if (!wrong.empty() && first_wrong.empty()) {
        first_wrong = fmt::format("cut {} of {}, loss {}: {}", cut, cuts_.size(), way, wrong);
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(look);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(first_wrong, "");
}

TEST_F(PowerLossTest, EveryCutLeavesAPrefixWithAllThatWasSynced) {
  const unsigned seed = ChosenSeed();
  const auto start = std::chrono::steady_clock::now();
  const int ways = LongForm() ? 5 : 1;
  size_t looks = 0;
  for (unsigned round = 0; round < (LongForm() ? 10u : 1u); ++round) {
    Load(seed + round);
    ASSERT_GE(cuts_.size(), 1'000u);
    LookAtAll(seed + round, ways);
    looks += cuts_.size() * static_cast<size_t>(ways);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%zu losses of power in %.1f s\n", looks, seconds.count());
}

// The test would notice: a disk that says that it has synced, and has not, is found out.
TEST_F(PowerLossTest, SyncThatIsALieIsNoticed) {
  auto disk = BadDisk::Make();
  auto engine = OpenOn(disk, true);
  ASSERT_OK(engine);
  witness_ = std::make_shared<WitnessKv>(*engine);
  LocalStage stage(std::make_unique<BorrowedKv>(witness_));
  ASSERT_OK(PutFile(stage.root(), "/f", "content"));
  const auto before = disk->Copy();  // as if the sync below did nothing
  ASSERT_OK(stage.Sync());
  EXPECT_THAT(Look({before, witness_->durable(), witness_->begun()}, 0),
              ::testing::HasSubstr("is no state between"));
  EXPECT_EQ(Look({disk->Copy(), witness_->durable(), witness_->begun()}, 0), "");
}

}  // namespace
}  // namespace tarn::testing
