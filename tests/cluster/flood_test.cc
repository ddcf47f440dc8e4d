// A client that asks for too much of everything: sessions, opens, locks, waiting requests, big
// messages, events and answers that it does not read. It comes from an address of its own; it is
// refused, the server's memory stays below a bound, and the programs of another host go on
// meanwhile.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <cstdio>
#include <fstream>

#include "common/limits.h"
#include "common/wire/frame.h"
#include "proto/filesystem.grpc.pb.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/flooder.h"
#include "tests/support/relay.h"

namespace tarn::testing {
namespace {

using grpc::StatusCode;

constexpr int kMiB = 1 << 20;
constexpr uint64_t kRequestMiB = 128;
// Above what the server had before: requests under way and arriving, RocksDB's buffers and cache as
// told, and the tables of what is granted.
constexpr uint64_t kRssMiBMore = 2 * kRequestMiB + 2 * 64 + 128;

uint64_t RssMiB(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    uint64_t kib = 0;
    if (word == "VmRSS:" && status >> kib) return kib / 1024;
  }
  return 0;
}

class FloodTest : public ClusterTest {
 protected:
  std::vector<std::string> server_flags() const override {
    std::vector<std::string> flags = ShortLifetime();
    for (const char* flag : {"--block-cache-mib", "64", "--write-buffer-mib", "64",
                             "--request-memory-mib", "128", "--recall-deadline", "300"}) {
      flags.emplace_back(flag);
    }
    return flags;
  }
  void SetUp() override {
    ClusterTest::SetUp();
    if (IsSkipped()) return;
    relay_ = std::make_unique<Relay>(server().address(), "127.0.0.2");
    load_ = std::make_unique<Load>(2, [this](int thread, int number) {
      return Step(thread, number);
    });
    ASSERT_TRUE(load_->Progresses(50));
    rss_before_ = RssMiB(server().pid());
  }
  void TearDown() override {
    if (load_ != nullptr) {
      EXPECT_TRUE(load_->Progresses(20));
      EXPECT_EQ(load_->Stop(), "");
      const uint64_t rss = RssMiB(server().pid());
      std::printf("the server has %llu MiB, %llu before\n", static_cast<unsigned long long>(rss),
                  static_cast<unsigned long long>(rss_before_));
      EXPECT_LT(rss, rss_mib_max());
      load_.reset();
    }
    relay_.reset();
    ClusterTest::TearDown();
  }
  // What a program of another host does meanwhile.
  std::string Step(int thread, int number) {
    const std::string name = (thread == 0 ? a() : b()) / ("w" + std::to_string(thread));
    const std::string content = std::to_string(number);
    if (const int error = Write(name, content)) return "write " + std::to_string(error);
    if (Read(name) != content) return "read " + Read(name);
    if (number % 10 == 0 && unlink(name.c_str()) != 0) return "unlink";
    return "";
  }
  std::string address() const { return relay_->address(); }
  // A file that the flooder has open under id 5. Uses slot 0 up to sequence 1.
  v1::Handle OpenFile(Flooder& flooder) {
    auto create = flooder.InSlot<v1::CreateRequest>(0, 1);
    *create.mutable_dir() = flooder.hello().root();
    create.set_name("flooded");
    create.set_mode(0666);
    create.set_open(5);
    create.set_access(3);
    auto channel = grpc::CreateChannel(address(), grpc::InsecureChannelCredentials());
    grpc::ClientContext context;
    v1::CreateReply reply;
    EXPECT_TRUE(v1::Filesystem::NewStub(channel)->Create(&context, create, &reply).ok());
    EXPECT_EQ(reply.header().error(), 0);
    return reply.handle();
  }
  Load& load() { return *load_; }
  uint64_t rss_mib_max() const { return rss_before_ + kRssMiBMore; }

 private:
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Load> load_;
  uint64_t rss_before_ = 0;
};

TEST_F(FloodTest, OfSessionsIsRefusedENFILEAndOtherAddressesAreServed) {
  Flooder flooder(address());
  const int more = 300;
  for (int i = 0; i < static_cast<int>(kSessionsPerPeer) + more; ++i) {
    flooder.Start("/tarn.v1.Session/Hello", wire::Encode(flooder.HelloRequest()));
  }
  const Answers answers = flooder.WaitForAll();
  EXPECT_EQ(answers.of(StatusCode::OK), static_cast<int>(kSessionsPerPeer) + more);
  v1::HelloReply refused;
  grpc::ClientContext context;
  const auto stub = v1::Session::NewStub(
      grpc::CreateChannel(address(), grpc::InsecureChannelCredentials()));
  ASSERT_TRUE(stub->Hello(&context, flooder.HelloRequest(), &refused).ok());
  EXPECT_EQ(refused.error(), static_cast<int>(Errno::kENFILE));
  const RealMount other(server().spec());
  EXPECT_EQ(Write(other / "f", "x"), 0);
}

TEST_F(FloodTest, OfOpensAndLocksIsRefusedAtTheirLimits) {
  Flooder flooder(address());
  flooder.Hello();
  const v1::Handle file = OpenFile(flooder);
  constexpr uint32_t kAtOnce = 100;
  const uint32_t opens = IsTestLong() ? kOpensPerSession + 1024 : 10'000;
  for (uint32_t i = 0; i < opens; ++i) {
    if (i % kAtOnce == 0) flooder.WaitForNone();  // one outstanding in each slot
    auto open = flooder.InSlot<v1::OpenRequest>(1 + i % kAtOnce, 1 + i / kAtOnce);
    *open.mutable_inode() = file;
    open.set_open(100 + i);
    open.set_access(1);
    flooder.Start("/tarn.v1.Filesystem/Open", wire::Encode(open));
  }
  Answers answers = flooder.WaitForAll();
  EXPECT_EQ(answers.of(StatusCode::OK), static_cast<int>(opens));
  if (IsTestLong()) {
    EXPECT_GE(answers.of(Errno::kENFILE), 1000);
  }

  const uint64_t first = 1 + opens / kAtOnce;
  const uint32_t locks = kLocksPerSession + 500;
  for (uint32_t i = 0; i < locks; ++i) {
    if (i % kAtOnce == 0) flooder.WaitForNone();
    auto lock = flooder.InSlot<v1::SetLockRequest>(1 + i % kAtOnce, first + i / kAtOnce);
    *lock.mutable_inode() = file;
    lock.set_open(5);
    lock.set_owner(1);
    lock.mutable_lock()->set_type(1);
    lock.mutable_lock()->set_start(i * 2);
    lock.mutable_lock()->set_end(i * 2);
    flooder.Start("/tarn.v1.Filesystem/SetLock", wire::Encode(lock));
  }
  answers = flooder.WaitForAll();
  EXPECT_EQ(answers.of(Errno::kENOLCK), 500);
  EXPECT_TRUE(load().Progresses(20));
}

// In streams of calls, by sessions that hear nothing.
TEST_F(FloodTest, OfReadsWhoseAnswersAreNotReadIsRefusedBeforeItFillsTheMemory) {
  Flooder owner(address());
  owner.Hello();
  const v1::Handle file = OpenFile(owner);
  auto write = owner.InSlot<v1::WriteHead>(0, 2);
  *write.mutable_inode() = file;
  write.set_open(5);
  owner.Start("/tarn.v1.Filesystem/Write", wire::Encode(write, Bytes::Zeros(kMiB)));
  EXPECT_EQ(owner.WaitForAll().of(Errno::kOk), 1);

  constexpr int kReaders = 20;
  std::vector<std::unique_ptr<Flooder>> readers;
  for (int i = 0; i < kReaders; ++i) {
    Flooder& reader = *readers.emplace_back(std::make_unique<Flooder>(address()));
    reader.Hello();
    auto& calls = reader.OpenCalls();
    for (uint32_t slot = 0; slot < kSlotsPerSession; ++slot) {
      auto read = reader.InSlot<v1::ReadRequest>(slot, 1);
      *read.mutable_inode() = file;
      read.set_size(kMiB);
      v1::CallRequest call;
      call.mutable_head()->set_number(slot);
      call.mutable_head()->set_rpc("/tarn.v1.Filesystem/Read");
      call.set_request(wire::Encode(read).ToString());
      ASSERT_TRUE(calls.Write(call));
    }
  }
  // Everything is taken when it stands still.
  uint64_t rss = 0;
  int polls = 0;
  EXPECT_TRUE(Eventually([&] {
    polls = std::exchange(rss, RssMiB(server().pid())) == rss ? polls + 1 : 0;
    return polls > 100;
  }));
  EXPECT_LT(rss, rss_mib_max());
  EXPECT_TRUE(load().Progresses(20));
}

TEST_F(FloodTest, OfWaitingWritesIsRefusedBeforeItFillsTheMemory) {
  // One session has a lease on the file, lives, and does not answer; the others write to it.
  Flooder holder(address());
  holder.Hello();
  const v1::Handle file = OpenFile(holder);
  auto look = holder.InSlot<v1::GetAttrRequest>(0, 2);
  *look.mutable_inode() = file;
  holder.Start("/tarn.v1.Filesystem/GetAttr", wire::Encode(look));
  EXPECT_EQ(holder.WaitForAll().of(Errno::kOk), 1);
  holder.Listen();

  constexpr int kWriters = 4;
  std::vector<std::unique_ptr<Flooder>> writers;
  const Bytes content = Bytes::Zeros(kMiB);
  for (int i = 0; i < kWriters; ++i) {
    Flooder& writer = *writers.emplace_back(std::make_unique<Flooder>(address()));
    writer.Hello();
    auto open = writer.InSlot<v1::OpenRequest>(0, 1);
    *open.mutable_inode() = file;
    open.set_open(7);
    open.set_access(2);
    writer.Start("/tarn.v1.Filesystem/Open", wire::Encode(open));
    EXPECT_EQ(writer.WaitForAll().of(Errno::kOk), 1);
    for (uint32_t slot = 1; slot < kSlotsPerSession; ++slot) {
      v1::WriteHead head = writer.InSlot<v1::WriteHead>(slot, 1);
      *head.mutable_inode() = file;
      head.set_open(7);
      writer.Start("/tarn.v1.Filesystem/Write", wire::Encode(head, content), 1000);
    }
  }
  const auto refused = [&] {
    int count = 0;
    for (const auto& writer : writers) {
      count += writer->so_far().of(StatusCode::RESOURCE_EXHAUSTED);
    }
    return count;
  };
  const int beyond =
      kWriters * static_cast<int>(kSlotsPerSession - 1) - static_cast<int>(kRequestMiB);
  EXPECT_TRUE(Eventually([&] { return refused() >= beyond; })) << refused();
  EXPECT_TRUE(load().Progresses(50));  // of an address that is below its share
  holder.Heartbeat();
  EXPECT_LT(RssMiB(server().pid()), 1500u);
  for (const auto& writer : writers) writer->EndAll();
}

TEST_F(FloodTest, OfStreamsRetriesReclaimsAndRubbishHarmsNobody) {
  Flooder flooder(address());
  flooder.Hello();
  const v1::Handle file = OpenFile(flooder);
  for (int i = 0; i < 1000; ++i) flooder.Listen();
  EXPECT_TRUE(load().Progresses(10));

  // One request, again and again, while it waits for a lock that the same session has.
  auto lock = flooder.InSlot<v1::SetLockRequest>(0, 2);
  *lock.mutable_inode() = file;
  lock.set_open(5);
  lock.set_owner(1);
  lock.mutable_lock()->set_type(2);
  lock.mutable_lock()->set_end(UINT64_MAX);
  flooder.Start("/tarn.v1.Filesystem/SetLock", wire::Encode(lock));
  EXPECT_EQ(flooder.WaitForAll().of(Errno::kOk), 1);
  lock.mutable_header()->set_slot(kSlotsPerSession);
  lock.mutable_header()->set_sequence(1);
  lock.set_owner(2);
  lock.set_wait(true);
  for (int i = 0; i < 2000; ++i) {
    flooder.Start("/tarn.v1.Filesystem/SetLock", wire::Encode(lock), 3000);
  }
  EXPECT_TRUE(Eventually([&] {
    return flooder.so_far().of(StatusCode::UNAVAILABLE) ==
           2000 - static_cast<int>(kListenersPerRequest);
  }));
  flooder.EndAll();

  auto reclaim = flooder.InSession<v1::ReclaimRequest>();
  for (uint32_t i = 0; i < kReclaimBatch; ++i) reclaim.add_opens()->set_open(i);
  for (int i = 0; i < 400; ++i) {
    flooder.Start("/tarn.v1.Session/Reclaim", wire::Encode(reclaim), 2000);
  }
  const RealMount other(server().spec());  // its Hello waits behind them for a while at most
  EXPECT_EQ(Write(other / "f", "x"), 0);
  const Answers reclaims = flooder.WaitForAll();
  EXPECT_GT(reclaims.of(StatusCode::OK), 0);
  EXPECT_EQ(reclaims.of(StatusCode::OK) + reclaims.of(StatusCode::UNAVAILABLE), 400);

  auto returns = flooder.InSession<v1::ReturnLeasesRequest>();
  for (uint64_t i = 0; i < 50'000; ++i) returns.add_recalls(i);
  for (int i = 0; i < 20; ++i) {
    flooder.Start("/tarn.v1.Session/ReturnLeases", wire::Encode(returns));
  }
  EXPECT_EQ(flooder.WaitForAll().of(StatusCode::OK), 20);
  flooder.Start("/tarn.v1.Filesystem/Lookup", Bytes::Zeros(static_cast<size_t>(64) * kMiB));
  EXPECT_EQ(flooder.WaitForAll().of(StatusCode::RESOURCE_EXHAUSTED), 1);
}

}  // namespace
}  // namespace tarn::testing
