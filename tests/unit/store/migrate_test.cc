// A store that an older version wrote opens, with everything in it; one of a newer version does
// not. format1.txt holds what version 1 wrote: family, key and value in hexadecimal.
#include "server/store/migrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/escaping.h"
#include "common/limits.h"
#include "server/store/fsck.h"
#include "server/store/keys.h"
#include "server/store/sealed_kv.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/store/tree.h"

namespace tarn::store {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// An engine that fails each write and sync after so many, as if the power went.
class CutKv : public testing::MemKv {
 public:
  CutKv(MemKv& disk, int writes) : below_(disk.Reopen()), left_(writes) {}
  Result<std::optional<ByteSlice>> Get(Family f, std::string_view key, Tier tier) override {
    return below_->Get(f, key, tier);
  }
  std::unique_ptr<KvIterator> Iterate(Family f, std::string lower, std::string upper,
                                      Tier tier) override {
    return below_->Iterate(f, std::move(lower), std::move(upper), tier);
  }
  Status Write(const Batch& batch, Tier tier) override {
    if (left_-- <= 0) return Errno::kEIO;
    return below_->Write(batch, tier);
  }
  Status SyncWal() override { return left_ <= 0 ? Status(Errno::kEIO) : below_->SyncWal(); }

 private:
  const std::unique_ptr<MemKv> below_;
  int left_;
};

class MigrateTest : public ::testing::Test {
 protected:
  static void Fill(Kv& kv) {
    std::ifstream in(TARN_FORMAT1);
    Batch batch;
    int family = 0;
    for (std::string key, value; in >> family >> key >> value;) {
      const auto f = static_cast<Family>(family);
      key = absl::HexStringToBytes(key);
      value = absl::HexStringToBytes(value);
      if (f == Family::kSuper && (key == kBytesKey || key == kInodesKey)) {
        batch.Add(f, key, *ReadLe64(value));
      } else {
        batch.Put(f, key, Bytes::FromString(value));
      }
    }
    ASSERT_THAT(batch.ops(), SizeIs(28));
    ASSERT_OK(kv.Write(batch, Tier::kMayBlock));
  }
  void ExpectAllThere(std::unique_ptr<Kv> kv) {
    ASSERT_OK_AND_ASSIGN(auto store, Store::Open(std::move(kv), clock_, false, ""));
    EXPECT_EQ(store->identity().id, "fs-0123456789abcdef0");
    EXPECT_EQ(store->usage().inodes, 6u);
    Tree tree(*store);
    EXPECT_EQ(tree.Read(Ino{4}), "first" + std::string(16'995, '\0') + "second");
    EXPECT_EQ(tree.Read(Ino{5}), "y");
    EXPECT_EQ(tree.Get(Ino{6}).target, "d/f");
    auto txn = store->Begin(Tier::kMayBlock, nullptr);
    EXPECT_EQ(txn->GetXattr(Ino{4}, "user.a").value(), "value");
    EXPECT_EQ(txn->GetDentry(Ino{2}, "hard").value()->ino, Ino{5});
    EXPECT_THAT(store->ListOrphans(kNoIno, 9).value(), SizeIs(1));
    EXPECT_EQ(store->LoadSessions().value().at(0).client_name, "host");
    EXPECT_EQ(store->FindKeptReply({1, 2}, 4).value()->reply, "reply");
    tree.MakeFile(Tree::kRoot, "new", "content");
  }

  TestClock clock_;
};

TEST_F(MigrateTest, StoreOfVersion1OpensWithEverythingInIt) {
  EngineBox box(Engine::kRocks);
  Fill(*box.Open());
  ExpectAllThere(box.Open());
  {
    auto kv = box.Open();
    EXPECT_EQ(ReadBe32(kv->Get(Family::kSuper, kFormatKey, Tier::kMayBlock).value()->view), 2u);
    EXPECT_EQ(kv->Get(Family::kSuper, kUpgradingKey, Tier::kMayBlock).value(), std::nullopt);
  }
  ASSERT_OK_AND_ASSIGN(const FsckReport report, Fsck(box.Open(), {}));
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_EQ(report.inodes, 8u);
}

TEST_F(MigrateTest, UpgradeGoesOnWhereACrashCutItShort) {
  int cuts = 0;
  for (bool done = false; !done; ++cuts) {
    testing::MemKv disk;
    Fill(disk);
    CutKv kv(disk, cuts);
    done = Upgrade(kv, /*batch_bytes=*/1).ok();
    const auto format = disk.Get(Family::kSuper, kFormatKey, Tier::kMayBlock);
    EXPECT_EQ(ReadBe32(format.value()->view), cuts == 0 ? 1u : 2u);  // no older one opens it
    if (disk.Get(Family::kSuper, kUpgradingKey, Tier::kMayBlock).value().has_value()) {
      EXPECT_ERROR(kEINVAL, Fsck(disk.Reopen(), {}));
    }
    ExpectAllThere(disk.Reopen());
    ASSERT_OK_AND_ASSIGN(const FsckReport report, Fsck(disk.Reopen(), {}));
    EXPECT_THAT(report.findings, IsEmpty());
  }
  EXPECT_GT(cuts, 20);
}

TEST_F(MigrateTest, UpgradeOfWhatIsUpToDateDoesNothing) {
  testing::MemKv disk;
  ASSERT_OK(Upgrade(disk));
  EXPECT_EQ(disk.writes(), 0);
  { ASSERT_OK(Store::Open(disk.Reopen(), clock_, true, "test")); }
  const int writes = disk.writes();
  ASSERT_OK(Upgrade(disk));
  EXPECT_EQ(disk.writes(), writes);
}

TEST_F(MigrateTest, VersionsThatAreNotKnownAreRefusedAndLeftAlone) {
  for (const uint32_t version : {uint32_t{0}, kFormatVersion + 1, uint32_t{1000}}) {
    testing::MemKv disk;
    Fill(disk);
    Batch batch;
    batch.Put(Family::kSuper, std::string(kFormatKey), Bytes::FromString(Be32(version)));
    ASSERT_OK(disk.Write(batch, Tier::kMayBlock));
    const int writes = disk.writes();
    EXPECT_ERROR(kEINVAL, Store::Open(disk.Reopen(), clock_, true, "test"));
    EXPECT_EQ(disk.writes(), writes);
  }
}

TEST_F(MigrateTest, CheckOfAnOlderStoreSaysWhatToDo) {
  testing::MemKv disk;
  Fill(disk);
  const auto report = Fsck(disk.Reopen(), {});
  EXPECT_ERROR(kEINVAL, report);
  EXPECT_THAT(report.error().message, HasSubstr("older format version 1: start tarnd on it once"));
}

}  // namespace
}  // namespace tarn::store
