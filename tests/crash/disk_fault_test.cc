// A disk that is full, or fails: writes get the right errno, reads go on, nothing is corrupt, and a
// full disk that has space again is written without a restart.
#include <gmock/gmock.h>

#include <map>

#include "server/store/fsck.h"
#include "tests/crash/local_disk.h"
#include "tests/support/eventually.h"

namespace tarn::testing {
namespace {

using ::testing::IsEmpty;
using IOStatus = rocksdb::IOStatus;

class DiskFaultTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(); }
  void TearDown() override { stage_.reset(); }
  void Start() {
    auto engine = OpenOn(disk_, true);
    ASSERT_OK(engine);
    engine_ = *std::move(engine);
    stage_ = std::make_unique<LocalStage>(std::make_unique<BorrowedKv>(engine_));
  }
  void Stop() {
    stage_.reset();
    engine_.reset();
  }
  // Puts a file; what was acknowledged is remembered.
  Status Put(int number) {
    const std::string path = "/f" + std::to_string(number);
    const std::string content(20'000, static_cast<char>('a' + number % 26));
    Status status = PutFile(stage_->root(), path, content);
    if (status.ok()) files_[path] = content;
    return status;
  }
  // The error of the first put that fails.
  Errno PutUntilError() {
    for (int i = 0; i < 20'000; ++i) {
      if (Status status = Put(next_++); !status.ok()) return status.code();
    }
    return Errno::kOk;
  }
  void ExpectAllReadable() {
    for (const auto& [path, content] : files_) {
      const auto read = GetFile(stage_->root(), path);
      ASSERT_OK(read);
      ASSERT_TRUE(*read == content) << path;
    }
  }
  void ExpectSound() {
    const auto report = store::Fsck(std::make_unique<BorrowedKv>(engine_), {});
    ASSERT_OK(report);
    EXPECT_THAT(report->findings, IsEmpty());
  }
  // Stops, loses the power, starts again.
  void LosePower() {
    const auto left = disk_->Copy();
    Stop();
    disk_ = left;
    disk_->LosePower(0);
    Start();
  }

  std::shared_ptr<BadDisk> disk_ = BadDisk::Make();
  std::shared_ptr<store::Kv> engine_;
  std::unique_ptr<LocalStage> stage_;
  std::map<std::string, std::string> files_;
  int next_ = 0;
};

TEST_F(DiskFaultTest, FullDiskRefusesWritesAnswersReadsAndGoesOnWhenThereIsSpace) {
  for (int i = 0; i < 50; ++i) ASSERT_OK(Put(next_++));
  for (int round = 0; round < 3; ++round) {
    disk_->SetCapacity(disk_->Used() + (size_t{200} << 10) * static_cast<size_t>(round + 1));
    EXPECT_EQ(PutUntilError(), Errno::kENOSPC);
    EXPECT_ERROR(kENOSPC, stage_->root().MakeDir("/d", 0755));
    ExpectAllReadable();
    disk_->SetCapacity(UINT64_MAX);
    EXPECT_TRUE(Eventually([&] { return Put(next_++).ok(); }));
    ASSERT_TRUE(Eventually([&] { return stage_->Sync().ok(); }));
    ExpectAllReadable();
    ExpectSound();
    LosePower();  // what was synced is there although the disk was full meanwhile
    ExpectAllReadable();
    ExpectSound();
  }
}

TEST_F(DiskFaultTest, FailingDiskStopsWritesWithEIOAndReadsGoOn) {
  for (const std::string what : {"append", "sync"}) {
    for (int i = 0; i < 10; ++i) ASSERT_OK(Put(next_++));
    ASSERT_OK(stage_->Sync());
    const auto before = files_;
    disk_->SetFault([&what](const std::string& done, const std::string&) {
      return done == what ? IOStatus::IOError("the disk fails") : IOStatus::OK();
    });
    if (what == "sync") {
      ASSERT_OK(Put(next_++));
    }
    EXPECT_ERROR(kEIO, what == "sync" ? stage_->Sync() : Put(next_++));
    EXPECT_ERROR(kEIO, Put(next_++));
    ExpectAllReadable();
    // No later sync says that all is well when it is not.
    disk_->SetFault(nullptr);
    if (!stage_->Sync().ok()) files_ = before;
    LosePower();
    ExpectAllReadable();
    ExpectSound();
    for (int i = 0; i < 3; ++i) EXPECT_OK(Put(next_++));
  }
}

}  // namespace
}  // namespace tarn::testing
