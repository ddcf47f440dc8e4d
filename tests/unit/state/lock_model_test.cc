// LockTable's ranges against a table of bytes: every small case, then random ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "server/state/lock_table.h"

namespace tarn::state {
namespace {

constexpr SessionId kA{1, 1}, kB{1, 2};
constexpr Ino kFile{10};
constexpr LockType kRead = LockType::kRead, kWrite = LockType::kWrite, kNone = LockType::kUnlock;

// What each of a few owners has locked of each of a few bytes; one more stands for all beyond.
class ByteModel {
 public:
  static constexpr int kBytes = 7, kOwners = 4;

  bool Free(uint64_t owner, const FileLock& lock) const {
    for (int o = 0; o < kOwners; ++o) {
      for (uint64_t b = lock.start; b <= Last(lock) && o != static_cast<int>(owner); ++b) {
        if (LocksConflict(held_[o][b], lock.type)) return false;
      }
    }
    return true;
  }
  void Set(uint64_t owner, const FileLock& lock) {
    for (uint64_t b = lock.start; b <= Last(lock); ++b) held_[owner][b] = lock.type;
  }
  static uint64_t Last(const FileLock& lock) { return std::min<uint64_t>(lock.end, kBytes); }

 private:
  LockType held_[kOwners][kBytes + 1] = {};
};

class RangeModelTest : public ::testing::Test {
 protected:
  static LockRequest Range(uint64_t owner, LockType type, uint64_t start, uint64_t end) {
    return {.ino = kFile, .session = owner % 2 == 0 ? kA : kB, .open = OpenId{owner},
            .owner = LockOwner{owner}, .lock = {.type = type, .start = start, .end = end}};
  }
  // The table and the model agree for every owner, type and range.
  void Compare(const ByteModel& model) {
    table_.CheckInvariants();
    for (uint64_t owner = 0; owner < ByteModel::kOwners; ++owner) {
      for (LockType type : {kRead, kWrite}) {
        for (uint64_t start = 0; start <= ByteModel::kBytes; ++start) {
          const auto request = Range(owner, type, start, start);
          ASSERT_EQ(table_.Test(request).type == kNone, model.Free(owner, request.lock))
              << "owner " << owner << " byte " << start;
        }
      }
    }
  }

  LockTable table_;
};

TEST_F(RangeModelTest, EveryPairOfChangesByOneOwnerMatchesModel) {
  std::vector<FileLock> locks;
  for (LockType type : {kNone, kRead, kWrite}) {
    for (uint64_t start = 0; start < 4; ++start) {
      for (uint64_t end = start; end < 4; ++end) locks.push_back({type, start, end});
      locks.push_back({type, start, kLockToEnd});
    }
  }
  const FileLock base{kRead, 1, 2};
  for (const FileLock& first : locks) {
    for (const FileLock& second : locks) {
      ByteModel model;
      for (const FileLock& lock : {FileLock{kNone, 0, kLockToEnd}, base, first, second}) {
        ASSERT_TRUE(table_.Set(Range(0, lock.type, lock.start, lock.end)).ok());
        model.Set(0, lock);
      }
      ASSERT_NO_FATAL_FAILURE(Compare(model));
    }
  }
}

TEST_F(RangeModelTest, RandomRequestsOfManyOwnersMatchModel) {
  std::mt19937 random(7);
  const auto pick = [&](uint64_t n) { return random() % n; };
  ByteModel model;
  for (int step = 0; step < 5000; ++step) {
    const uint64_t owner = pick(ByteModel::kOwners);
    const uint64_t start = pick(ByteModel::kBytes);
    const uint64_t end = pick(5) == 0 ? kLockToEnd : start + pick(ByteModel::kBytes - start);
    const auto type = static_cast<LockType>(pick(3));
    const auto request = Range(owner, type, start, end);
    const bool free = model.Free(owner, request.lock);
    ASSERT_EQ(table_.Set(request).code(), free ? Errno::kOk : Errno::kEAGAIN) << step;
    if (free) model.Set(owner, request.lock);
    ASSERT_NO_FATAL_FAILURE(Compare(model));
  }
}

TEST_F(RangeModelTest, RandomWaitersAreGrantedOnlyWhatIsFreeAndAllInTheEnd) {
  std::mt19937 random(11);
  const auto pick = [&](uint64_t n) { return random() % n; };
  for (int round = 0; round < 200; ++round) {
    ByteModel model;
    std::vector<bool> waits(ByteModel::kOwners, false);
    for (int step = 0; step < 60; ++step) {
      const uint64_t owner = pick(ByteModel::kOwners);
      if (waits[owner]) continue;  // as a process with one thread
      const uint64_t start = pick(ByteModel::kBytes);
      const auto type = static_cast<LockType>(pick(3));
      const auto request = Range(owner, type, start, start + pick(ByteModel::kBytes - start));
      waits[owner] = true;
      table_.SetOrWait(request, [&, request, owner](Status answer) {
        waits[owner] = false;
        if (!answer.ok()) {
          EXPECT_EQ(answer.code(), Errno::kEDEADLK);
          return;
        }
        EXPECT_TRUE(model.Free(owner, request.lock));
        model.Set(owner, request.lock);
      });
      table_.CheckInvariants();
      // Deadlocks are refused, so somebody always runs.
      ASSERT_NE(std::count(waits.begin(), waits.end(), false), 0);
    }
    // Each runs to its end when it can: nobody is left waiting.
    for (int turn = 0; turn < ByteModel::kOwners; ++turn) {
      for (uint64_t owner = 0; owner < ByteModel::kOwners; ++owner) {
        if (waits[owner]) continue;
        model.Set(owner, {kNone, 0, kLockToEnd});  // before the grants that this causes
        ASSERT_TRUE(table_.Set(Range(owner, kNone, 0, kLockToEnd)).ok());
      }
    }
    ASSERT_FALSE(table_.HasWaiters());
    ASSERT_EQ(table_.CountOf(kA) + table_.CountOf(kB), 0u);
  }
}

}  // namespace
}  // namespace tarn::state
