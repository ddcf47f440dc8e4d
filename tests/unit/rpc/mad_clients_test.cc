// Clients that send anything, under sessions of their own, whose recalls they never answer.
// Everything is answered or refused; a client that behaves goes on beside them and is answered
// right; what is left at the end makes sense. TARN_TEST_SEED=n makes the same messages again,
// TARN_TEST_LONG goes on for minutes.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/unit/rpc/mad_client.h"
#include "tests/unit/transport/remote_fixture.h"

namespace tarn::transport {
namespace {

using grpc::StatusCode;

constexpr Uid kGoodUid = 4242;

class MadClientsTest : public RemoteFixture {
 protected:
  // Sessions that stand in the way are fenced soon.
  MadClientsTest()
      : RemoteFixture({.session_lifetime_nanos = 10 * kSecondNanos,
                       .recall_deadline_nanos = kSecondNanos / 5}) {
    good_caller_.uid = kGoodUid;
    good_caller_.gid = kGoodUid;
    good_caller_.groups.emplace();
  }
  void MakeGoodDir();
  // What a program might do, in the directory that is the good client's alone. "" or what failed.
  std::string GoodRound(int number);

  Caller good_caller_;
  std::unique_ptr<RemoteFs> good_;
  Handle dir_;
};

void MadClientsTest::MakeGoodDir() {
  good_ = Connect();
  const Handle root = good_->root().handle;
  ASSERT_OK(Wait<verbs::SetAttr>(*good_, root_, {.inode = root, .mode = 01777}));
  const auto made =
      Wait<verbs::MakeDir>(*good_, good_caller_, {.dir = root, .name = "good", .mode = 0700});
  ASSERT_OK(made);
  dir_ = made->handle;
}

std::string MadClientsTest::GoodRound(int number) {
  const std::string name = "f" + std::to_string(number % 7);
  const std::string content = "content " + std::to_string(number);
  const auto failed = [](const char* what, const auto& result) {
    return std::string(what) + ": " + std::string(ErrnoName(result.code())) + " " +
           (result.ok() ? "" : result.error().message);
  };
  const OpenId open{1'000'000u + static_cast<uint64_t>(number)};
  const auto made = Wait<verbs::Create>(*good_, good_caller_,
                                        {.dir = dir_, .name = name, .mode = 0600, .open = open,
                                         .access = OpenAccess::kReadWrite, .exclusive = true});
  if (!made.ok()) return failed("create", made);
  const Handle file = made->entry.handle;
  const auto written = Wait<verbs::Write>(
      *good_, good_caller_, {.inode = file, .open = open, .data = Bytes::Copy(content)});
  if (!written.ok()) return failed("write", written);
  const SetLockArgs lock = LockOf(file, open, LockType::kWrite, true);
  if (const auto set = Wait<verbs::SetLock>(*good_, good_caller_, lock); !set.ok()) {
    return failed("lock", set);
  }
  const auto read =
      Wait<verbs::Read>(*good_, good_caller_, {.inode = file, .open = open, .size = 100});
  if (!read.ok() || read->data.ToString() != content) return failed("read", read);
  const auto renamed = Wait<verbs::Rename>(
      *good_, good_caller_, {.dir = dir_, .name = name, .new_dir = dir_, .new_name = "g"});
  if (!renamed.ok()) return failed("rename", renamed);
  const auto found = Wait<verbs::Lookup>(*good_, good_caller_, {dir_, "g"});
  if (!found.ok() || found->attr.size != content.size()) return failed("lookup", found);
  const auto unlinked = Wait<verbs::Unlink>(*good_, good_caller_, {dir_, "g"});
  if (!unlinked.ok()) return failed("unlink", unlinked);
  const auto released =
      Wait<verbs::Release>(*good_, good_caller_, {.inode = file, .open = open});
  if (!released.ok()) return failed("release", released);
  const auto gone = Wait<verbs::Lookup>(*good_, good_caller_, {dir_, "g"});
  return gone.code() == Errno::kENOENT ? "" : failed("lookup of what is gone", gone);
}

TEST_F(MadClientsTest, AreAnsweredOrRefusedAndHarmNobody) {
  const char* const given = std::getenv("TARN_TEST_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  const auto length =
      std::chrono::seconds(std::getenv("TARN_TEST_LONG") != nullptr ? 300 : 10);
  MakeGoodDir();
  Tally tally;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] { MadClient(server_.address(), seed + i, tally).Run(stop); });
  }
  const auto end = std::chrono::steady_clock::now() + length;
  int rounds = 0;
  std::string complaint;
  while (complaint.empty() && std::chrono::steady_clock::now() < end) {
    complaint = GoodRound(rounds++);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(complaint, "") << "in round " << rounds;
  EXPECT_EQ(GoodRound(rounds), "");
  server_.fs().CheckInvariants();
  std::printf("%d rounds of the good client\n", rounds);
  int ever_done = 0;
  for (const auto& [method, counts] : tally.by_method) {
    std::printf("%-40s %6d done %6d refused\n", method.c_str(), counts.first, counts.second);
    ever_done += counts.first > 0 ? 1 : 0;
  }
  // Else this would be a test of the first checks alone.
  EXPECT_GE(ever_done, 20);
  for (const auto& [status, count] : tally.by_status) std::printf("status %d: %d\n", status, count);
  EXPECT_EQ(tally.by_status[StatusCode::INTERNAL], 0);
}

}  // namespace
}  // namespace tarn::transport
