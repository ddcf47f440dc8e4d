// Two CachedFs that take turns at one file: what each may do in its turn, and how long it lasts.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <sstream>
#include <thread>

#include "common/wait.h"
#include "tests/support/eventually.h"
#include "tests/support/in_process_server.h"
#include "tests/unit/cached/client.h"

namespace tarn::cache {
namespace {

// Stands still, but for what tests add.
class StoppedClock final : public Clock {
 public:
  Timestamp Now() override { return {now_.ns + passed_}; }
  int64_t BootNanos() override { return boot_nanos_ + passed_; }
  void Advance(int64_t nanos) { passed_ += nanos; }

 private:
  const Timestamp now_ = SystemClock().Now();
  const int64_t boot_nanos_ = SystemClock().BootNanos();
  std::atomic<int64_t> passed_ = 0;
};

class TurnsTest : public ::testing::Test {
 protected:
  static constexpr OpenId kOpen{1};
  static constexpr int64_t kMoreThanASlice = kSecondNanos;

  static CacheOptions Patient() {
    return {.write_behind = {.delay_nanos = 3600 * kSecondNanos}};
  }
  template <class V>
  Result<typename V::Reply> Call(Client& client, typename V::Args args) {
    Caller root;
    root.groups.emplace();
    return Wait<V>(*client.fs, root, std::move(args));
  }
  void SetUp() override {
    auto made = Call<verbs::Create>(a_, {.dir = a_.remote->root().handle,
                                         .name = "f",
                                         .mode = 0644,
                                         .open = kOpen,
                                         .access = OpenAccess::kReadWrite});
    ASSERT_OK(made);
    file_ = made->entry.handle;
  }
  void OpenInB() {
    ASSERT_OK(
        Call<verbs::Open>(b_, {.inode = file_, .open = kOpen, .access = OpenAccess::kReadWrite}));
  }
  Result<WriteReply> Append(Client& client, const std::string& data) {
    return Call<verbs::Write>(client, {.inode = file_,
                                       .open = kOpen,
                                       .append = true,
                                       .data = Bytes::FromString(data)});
  }
  // As F_SETLKW.
  Status Lock(Client& client) { return SetLock(client, LockType::kWrite); }
  Status Unlock(Client& client) { return SetLock(client, LockType::kUnlock); }
  Status SetLock(Client& client, LockType type) {
    return Call<verbs::SetLock>(client, {.inode = file_,
                                         .open = kOpen,
                                         .owner = LockOwner{1},
                                         .wait = true,
                                         .lock = {.type = type, .start = 0, .end = 9}});
  }
  // Appends by `b_`, while `a_` does the same until `b_` has succeeded or `enough` says so. True:
  // it was `enough`.
  template <class Enough>
  bool AppendWhileAWorks(Enough enough) {
    EXPECT_OK(Append(a_, "a"));
    EXPECT_OK(Append(a_, "a"));
    std::atomic<bool> done = false;
    std::thread b([&] {
      EXPECT_OK(Append(b_, "b"));
      done = true;
    });
    bool stopped = false;
    while (!done && !stopped) {
      EXPECT_OK(Append(a_, "a"));
      stopped = enough();
    }
    b.join();
    return stopped;
  }

  testing::InProcessServer server_;
  StoppedClock clock_;
  Client a_{server_.address(), Patient(), clock_};
  Client b_{server_.address(), Patient(), clock_};
  Handle file_;
};

TEST_F(TurnsTest, LockThatMightWaitIsGrantedHere) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(Lock(a_));
    ASSERT_OK(Unlock(a_));
  }
  server_.Stop();
  EXPECT_OK(Lock(a_));
  EXPECT_OK(Unlock(a_));
  server_.Start();
}

// The clock stands: a slice has no end while its holder is at work. A holder that is not given a
// processor looks idle, so once in several times is enough.
TEST_F(TurnsTest, WhoeverIsAtWorkUsesItsSlice) {
  using Clock = std::chrono::steady_clock;
  OpenInB();
  EXPECT_TRUE(testing::Eventually([&] {
    const auto until = Clock::now() + std::chrono::milliseconds(200);
    return AppendWhileAWorks([&] { return Clock::now() >= until; });
  }));
}

TEST_F(TurnsTest, SliceEndsThoughItsHolderIsAtWork) {
  OpenInB();
  EXPECT_FALSE(AppendWhileAWorks([&] {
    clock_.Advance(kMoreThanASlice);
    return false;
  }));
}

TEST_F(TurnsTest, WhoeverRestsGivesBack) {
  OpenInB();
  ASSERT_OK(Append(a_, "a"));
  ASSERT_OK(Append(a_, "a"));
  ASSERT_OK(Append(a_, "a"));
  EXPECT_OK(Append(b_, "b"));
}

TEST_F(TurnsTest, NothingIsLostOrDoubledOverManyTurns) {
  constexpr int kEach = 3000;
  OpenInB();
  const auto work = [this](Client& client, char who) {
    for (int i = 0; i < kEach; ++i) {
      ASSERT_OK(Append(client, who + std::to_string(i) + "\n"));
      if (i % 100 == 0) clock_.Advance(kMoreThanASlice);
    }
  };
  std::thread b([&] { work(b_, 'b'); });
  work(a_, 'a');
  b.join();
  std::string all;
  while (true) {
    auto part = Call<verbs::Read>(
        a_, {.inode = file_, .open = kOpen, .offset = all.size(), .size = 1 << 20});
    ASSERT_OK(part);
    if (part->data.empty()) break;
    all += part->data.ToString();
  }
  int next[2] = {};
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(line.substr(1), std::to_string(next[line[0] == 'b']++));
  }
  EXPECT_EQ(next[0], kEach);
  EXPECT_EQ(next[1], kEach);
}

}  // namespace
}  // namespace tarn::cache
