// The store over its life: reopening, crashes, numbers, orphans, garbage, sessions.
#include "server/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/sync.h"
#include "common/limits.h"
#include "server/store/keys.h"
#include "server/store/records.h"
#include "server/store/super.h"
#include "tests/unit/store/store_fixture.h"

namespace tarn::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

constexpr uint64_t kB = kBlockBytes;

class StoreTest : public ::testing::TestWithParam<Engine> {
 protected:
  // Frees all garbage; how many steps it took.
  int Reclaim() {
    for (int steps = 0;; ++steps) {
      auto more = box_->FreeGarbage();
      EXPECT_OK(more);
      if (!more.ok() || !*more) return steps;
    }
  }
  StoreBox box_{GetParam()};
};

TEST_P(StoreTest, IdentityIsMadeOnceAndKept) {
  const Identity made = box_->identity();
  EXPECT_THAT(made.id, MatchesRegex("fs-[0-9a-f]+"));
  EXPECT_EQ(made.id.size(), 20u);
  EXPECT_EQ(made.name, "test");
  EXPECT_EQ(made.block_bytes, kBlockBytes);
  EXPECT_NE(made.incarnation, 0u);
  box_.Reopen();
  EXPECT_EQ(box_->identity().id, made.id);
  EXPECT_EQ(box_->identity().hash_key, made.hash_key);
  EXPECT_EQ(box_->identity().tag_key, made.tag_key);
  EXPECT_EQ(box_->identity().incarnation, made.incarnation);
}

TEST_P(StoreTest, UsageSurvivesReopening) {
  const Ino ino = box_.MakeFile();
  box_.Write(ino, 0, std::string(10'000, 'x'));
  const Usage before = box_->usage();
  EXPECT_EQ(before.inodes, 2u);
  EXPECT_EQ(before.bytes, 12'288u);
  box_.Reopen();
  EXPECT_EQ(box_->usage().inodes, before.inodes);
  EXPECT_EQ(box_->usage().bytes, before.bytes);
}

TEST_P(StoreTest, NumbersGoOnAfterACleanEnd) {
  const Ino first = box_.MakeFile();
  EXPECT_EQ(Raw(first), 2u);
  box_.Reopen();
  EXPECT_EQ(Raw(box_.MakeFile()), 3u);
}

TEST_P(StoreTest, OrphanIsListedAndFreedWithAllItHas) {
  const Usage empty = box_->usage();
  const Ino ino = box_.MakeFile();
  box_.Write(ino, 0, std::string(3 * kB, 'x'));
  auto txn = box_.Begin();
  for (int i = 0; i < 5'000; ++i) txn->PutXattr(ino, "user." + std::to_string(i), "v");
  ASSERT_OK(txn->Commit());
  box_.MakeOrphan(ino);
  ASSERT_OK_AND_ASSIGN(const auto orphans, box_->ListOrphans(kNoIno, 10));
  ASSERT_THAT(orphans, SizeIs(1));
  EXPECT_EQ(orphans[0].ino, ino);
  EXPECT_EQ(orphans[0].since, box_.clock.now);
  EXPECT_EQ(box_.Read(ino, 0, 3), "xxx");  // as long as it is pinned
  EXPECT_FALSE(box_->FreeOrphan(ino).value());  // a bounded step
  EXPECT_TRUE(box_->FreeOrphan(ino).value());
  EXPECT_TRUE(box_->FreeOrphan(ino).value());  // nothing left to do
  EXPECT_THAT(box_->ListOrphans(kNoIno, 10).value(), IsEmpty());
  EXPECT_EQ(box_.Begin()->GetInode(ino).value(), std::nullopt);
  EXPECT_THAT(box_.Begin()->ListXattrs(ino).value(), IsEmpty());
  EXPECT_EQ(box_->usage().inodes, empty.inodes);
  EXPECT_EQ(box_->usage().bytes, empty.bytes);
}

TEST_P(StoreTest, OrphansAreListedInPages) {
  std::vector<Ino> inos;
  for (int i = 0; i < 5; ++i) {
    inos.push_back(box_.MakeFile());
    box_.MakeOrphan(inos.back());
  }
  ASSERT_OK_AND_ASSIGN(const auto first, box_->ListOrphans(kNoIno, 3));
  ASSERT_THAT(first, SizeIs(3));
  ASSERT_OK_AND_ASSIGN(const auto rest, box_->ListOrphans(first.back().ino, 3));
  ASSERT_THAT(rest, SizeIs(2));
  EXPECT_EQ(rest.back().ino, inos.back());
}

TEST_P(StoreTest, InodeWithANameIsNeverFreed) {
  const Ino ino = box_.MakeFile();
  auto txn = box_.Begin();
  txn->PutOrphan(ino);  // against the contract: its nlink is 1
  ASSERT_OK(txn->Commit());
  EXPECT_ERROR(kEINVAL, box_->FreeOrphan(ino));
  EXPECT_NE(box_.Begin()->GetInode(ino).value(), std::nullopt);
}

TEST_P(StoreTest, GarbageOfEverySizeAndShapeIsFreed) {
  const Ino small = box_.MakeFile(), middle = box_.MakeFile(), sparse = box_.MakeFile(),
            big = box_.MakeFile(), kept = box_.MakeFile();
  const std::string mib(1 << 20, 'x');
  box_.Write(small, 0, std::string(3 * kB, 'x'));
  for (int i = 0; i < 3; ++i) box_.Write(middle, uint64_t(i) << 20, mib);
  for (int i = 0; i < 3; ++i) box_.Write(sparse, uint64_t(i) << 40, "x");
  for (int i = 0; i < 65; ++i) box_.Write(big, uint64_t(i) << 20, mib);
  box_.Write(kept, 0, mib);
  for (Ino ino : {small, middle, sparse}) box_.SetSize(ino, 0);
  box_.MakeOrphan(big);
  EXPECT_TRUE(box_->FreeOrphan(big).value());
  EXPECT_GE(Reclaim(), 3);
  EXPECT_EQ(Reclaim(), 0);
  EXPECT_EQ(box_->usage().bytes, mib.size());
  EXPECT_EQ(box_.Read(kept, 0, mib.size()), mib);
  EXPECT_EQ(box_.Read(small, 0, 1), "");
}

TEST_P(StoreTest, SessionsComeBackWithoutTheirReplies) {
  for (uint64_t i = 1; i <= 3; ++i) {
    SessionRecord session;
    session.id = {i, i};
    session.client_name = "host" + std::to_string(i);
    ASSERT_OK(box_->PutSession(session));
    auto txn = box_.Begin();
    for (uint32_t slot = 0; slot < 4; ++slot) txn->KeepReply(session.id, slot, {1, 2, "r"});
    ASSERT_OK(txn->Commit());
  }
  ASSERT_OK(box_->DeleteSession({2, 2}));
  box_.Reopen();
  ASSERT_OK_AND_ASSIGN(const auto sessions, box_->LoadSessions());
  ASSERT_THAT(sessions, SizeIs(2));
  EXPECT_EQ(sessions[0].client_name, "host1");
  EXPECT_EQ(sessions[1].client_name, "host3");
  EXPECT_TRUE(box_->FindKeptReply({1, 1}, 3).value().has_value());
  EXPECT_FALSE(box_->FindKeptReply({2, 2}, 3).value().has_value());
}

TEST_P(StoreTest, FencedSessionKeepsItsRepliesUntilItIsDeleted) {
  SessionRecord session;
  session.id = {1, 2};
  session.previous = {3, 4};
  ASSERT_OK(box_->PutSession(session));
  auto txn = box_.Begin();
  txn->KeepReply(session.id, 5, {6, 7, "r"});
  ASSERT_OK(txn->Commit());
  session.fenced = true;
  session.fenced_at = {8};
  ASSERT_OK(box_->PutSession(session));
  box_.Reopen();
  ASSERT_OK_AND_ASSIGN(const auto found, box_->FindSession({1, 2}));
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->fenced);
  EXPECT_EQ(found->fenced_at, Timestamp{8});
  EXPECT_EQ(found->previous, (SessionId{3, 4}));
  EXPECT_EQ(box_->FindKeptReply({1, 2}, 5).value()->reply, "r");
  ASSERT_OK(box_->DeleteSession({1, 2}));
  EXPECT_FALSE(box_->FindSession({1, 2}).value().has_value());
  EXPECT_FALSE(box_->FindKeptReply({1, 2}, 5).value().has_value());
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreTest, ::testing::Values(Engine::kMem, Engine::kRocks),
                         EngineName);

// What the engine in memory can show: crashes, loss of power, foreign contents.
class StoreCrashTest : public ::testing::Test {
 protected:
  // Opens a store on the engine, which stays in sight.
  std::unique_ptr<Store> Open(std::unique_ptr<testing::MemKv> kv) {
    kv_ = kv.get();
    auto store = Store::Open(std::move(kv), clock_, true, "test");
    EXPECT_OK(store);
    return std::move(store).value();
  }
  Ino MakeFile(Store& store) {
    auto txn = store.Begin(Tier::kMayBlock, nullptr);
    Inode inode = NewFile(txn->NewIno().value());
    EXPECT_OK(txn->WriteData(inode, 0, Bytes::Copy("x")));
    data_.insert(Raw(inode.data));
    txn->PutInode(inode);
    EXPECT_OK(txn->Commit());
    return inode.attr.ino;
  }
  // As if another boot of the machine had the store open, and whether it ended cleanly.
  static void SetMark(Kv& kv, const OpenMark& mark) {
    Batch batch;
    batch.Put(Family::kSuper, std::string(kOpenKey), Bytes::FromString(EncodeOpenMark(mark)));
    ASSERT_OK(kv.Write(batch, Tier::kMayBlock));
  }

  TestClock clock_;
  testing::MemKv* kv_ = nullptr;
  std::set<uint64_t> data_;
};

TEST_F(StoreCrashTest, CrashOfTheProcessLosesNothing) {
  auto store = Open(std::make_unique<testing::MemKv>());
  const uint64_t incarnation = store->identity().incarnation;
  const Ino ino = MakeFile(*store);
  auto again = Open(kv_->Reopen());  // the first was never closed
  EXPECT_EQ(again->usage().inodes, 2u);
  EXPECT_EQ(again->usage().bytes, 4096u);
  EXPECT_NE(again->Begin(Tier::kMayBlock, nullptr)->GetInode(ino).value(), std::nullopt);
  EXPECT_EQ(again->identity().incarnation, incarnation);  // the same boot: nothing was lost
}

TEST_F(StoreCrashTest, NumbersLostWithThePowerAreNotGivenOutAgain) {
  auto store = Open(std::make_unique<testing::MemKv>());
  std::set<Ino> given;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(given.insert(MakeFile(*store)).second);
    const size_t data_ids = data_.size();
    EXPECT_EQ(data_ids, given.size());
    auto lossy = kv_->PowerLoss();
    store = Open(std::move(lossy));
    EXPECT_EQ(store->usage().inodes, 1u);  // nothing was synced
  }
}

TEST_F(StoreCrashTest, NumbersGoOnBeyondTheBound) {
  auto store = Open(std::make_unique<testing::MemKv>());
  const int syncs = kv_->syncs();
  auto txn = store->Begin(Tier::kMayBlock, nullptr);
  Ino last = kNoIno;
  for (uint64_t i = 0; i < IdAllocator::kStride; ++i) last = txn->NewIno().value();
  EXPECT_EQ(kv_->syncs(), syncs);
  EXPECT_ERROR(kBlocked, store->Begin(Tier::kMemoryOnly, nullptr)->NewIno());
  EXPECT_EQ(Raw(txn->NewIno().value()), Raw(last) + 1);
  EXPECT_EQ(kv_->syncs(), syncs + 1);  // the bound is durable before a number beyond it
  EXPECT_OK(store->Begin(Tier::kMemoryOnly, nullptr)->NewIno());
}

TEST_F(StoreCrashTest, SyncedStateSurvivesLossOfPower) {
  auto store = Open(std::make_unique<testing::MemKv>());
  const Ino ino = MakeFile(*store);
  Notification synced;
  store->Sync([&](Status status) {
    EXPECT_OK(status);
    synced.Notify();
  });
  synced.WaitForNotification();
  const Ino lost = MakeFile(*store);
  auto lossy = kv_->PowerLoss();
  auto again = Open(std::move(lossy));
  EXPECT_EQ(again->usage().inodes, 2u);
  auto txn = again->Begin(Tier::kMayBlock, nullptr);
  EXPECT_NE(txn->GetInode(ino).value(), std::nullopt);
  EXPECT_EQ(txn->GetInode(lost).value(), std::nullopt);
}

TEST_F(StoreCrashTest, SessionIsDurableWhenPutReturns) {
  auto store = Open(std::make_unique<testing::MemKv>());
  SessionRecord session;
  session.id = {1, 2};
  ASSERT_OK(store->PutSession(session));
  auto again = Open(kv_->PowerLoss());
  EXPECT_THAT(again->LoadSessions().value(), SizeIs(1));
}

TEST_F(StoreCrashTest, IncarnationChangesOnlyAfterAnUncleanEndOfAnotherBoot) {
  auto store = Open(std::make_unique<testing::MemKv>());
  const uint64_t first = store->identity().incarnation;
  SetMark(*kv_, {"another boot", true});
  store = Open(kv_->Reopen());
  EXPECT_EQ(store->identity().incarnation, first);
  SetMark(*kv_, {"another boot", false});
  store = Open(kv_->Reopen());
  const uint64_t second = store->identity().incarnation;
  EXPECT_NE(second, first);
  store = Open(kv_->Reopen());
  EXPECT_EQ(store->identity().incarnation, second);
}

TEST_F(StoreCrashTest, OtherFormatVersionIsRefusedWithASentence) {
  auto store = Open(std::make_unique<testing::MemKv>());
  Batch batch;
  batch.Put(Family::kSuper, std::string(kFormatKey), Bytes::FromString(Be32(kFormatVersion + 6)));
  ASSERT_OK(kv_->Write(batch, Tier::kMayBlock));
  auto refused = Store::Open(kv_->Reopen(), clock_, true, "test");
  EXPECT_ERROR(kEINVAL, refused);
  EXPECT_THAT(refused.error().message, HasSubstr("it has format version 8, and this tarnd reads "
                                                 "version 2: run the tarnd that wrote it"));
}

TEST_F(StoreCrashTest, EmptyEngineIsNoFileSystemUnlessCreated) {
  EXPECT_ERROR(kENOENT, Store::Open(std::make_unique<testing::MemKv>(), clock_, false, "test"));
}

TEST_F(StoreCrashTest, MissingRecordIsReportedByName) {
  auto store = Open(std::make_unique<testing::MemKv>());
  Batch batch;
  batch.Delete(Family::kSuper, std::string(kNextInoKey));
  ASSERT_OK(kv_->Write(batch, Tier::kMayBlock));
  auto refused = Store::Open(kv_->Reopen(), clock_, false, "test");
  EXPECT_ERROR(kEIO, refused);
  EXPECT_THAT(refused.error().message, HasSubstr("next_ino"));
}

TEST_F(StoreCrashTest, ReclaimedBlocksAndRecordsAreGoneFromTheEngine) {
  auto store = Open(std::make_unique<testing::MemKv>());
  const size_t inodes = kv_->KeyCount(Family::kInode);
  for (uint64_t size : {kB, 100 * kB, 5'000 * kB}) {
    auto txn = store->Begin(Tier::kMayBlock, nullptr);
    Inode inode = NewFile(txn->NewIno().value());
    ASSERT_OK(txn->WriteData(inode, 0, Bytes::Zeros(size)));
    inode.attr.nlink = 0;
    txn->PutInode(inode);
    txn->PutOrphan(inode.attr.ino);
    ASSERT_OK(txn->Commit());
    EXPECT_TRUE(store->FreeOrphan(inode.attr.ino).value());
  }
  while (store->FreeGarbage().value()) {
  }
  EXPECT_EQ(kv_->KeyCount(Family::kBlock), 0u);
  EXPECT_EQ(kv_->KeyCount(Family::kOrphan), 0u);
  EXPECT_EQ(kv_->KeyCount(Family::kInode), inodes);
}

TEST_F(StoreCrashTest, GarbageSurvivesACrashBeforeItIsFreed) {
  auto store = Open(std::make_unique<testing::MemKv>());
  auto txn = store->Begin(Tier::kMayBlock, nullptr);
  Inode inode = NewFile(txn->NewIno().value());
  ASSERT_OK(txn->WriteData(inode, 0, Bytes::Zeros(100 * kB)));
  txn->PutInode(inode);
  ASSERT_OK(txn->Commit());
  txn = store->Begin(Tier::kMayBlock, nullptr);
  inode = txn->GetInode(inode.attr.ino).value().value();
  ASSERT_OK(txn->SetSize(inode, 0));
  txn->PutInode(inode);
  ASSERT_OK(txn->Commit());
  store = Open(kv_->Reopen());
  EXPECT_EQ(kv_->KeyCount(Family::kBlock), 100u);
  EXPECT_TRUE(store->FreeGarbage().value());
  EXPECT_EQ(kv_->KeyCount(Family::kBlock), 0u);
}

// The promise is about the disk: what du shows falls by what was removed.
TEST(RocksStoreTest, DiskSpaceComesBackAfterReclaim) {
  ScratchDir dir;
  auto memory = MakeRocksMemory(SmallRocks());
  TestClock clock;
  auto store = Store::Open(OpenRocksKv(dir.path() + "/db", true, memory).value(), clock, true, "t")
                   .value();
  auto disk_use = [&] {
    uint64_t sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path() + "/db")) {
      std::error_code gone;
      const uint64_t size = entry.file_size(gone);
      if (!gone) sum += size;
    }
    return sum;
  };
  std::string mib(1 << 20, '\0');
  for (size_t i = 0; i < mib.size(); ++i) mib[i] = static_cast<char>(i * 31 + i / 251);
  const uint64_t before = disk_use();
  const std::string_view small = std::string_view(mib).substr(0, mib.size() / 4);
  std::vector<Ino> files;  // one big, many small ones
  for (int f = 0; f < 101; ++f) {
    auto txn = store->Begin(Tier::kMayBlock, nullptr);
    Inode inode = NewFile(txn->NewIno().value());
    const std::string_view part = f == 0 ? std::string_view(mib) : small;
    for (uint64_t i = 0; i < (f == 0 ? 80 : 1); ++i) {
      ASSERT_OK(txn->WriteData(inode, i << 20, Bytes::Copy(part)));
    }
    txn->PutInode(inode);
    ASSERT_OK(txn->Commit());
    files.push_back(inode.attr.ino);
  }
  EXPECT_GT(disk_use(), before + (uint64_t{100} << 20));
  for (Ino ino : files) {
    auto txn = store->Begin(Tier::kMayBlock, nullptr);
    Inode inode = txn->GetInode(ino).value().value();
    inode.attr.nlink = 0;
    txn->PutInode(inode);
    txn->PutOrphan(ino);
    ASSERT_OK(txn->Commit());
    ASSERT_OK(store->FreeOrphan(ino));
  }
  while (store->FreeGarbage().value()) {
  }
  EXPECT_LT(disk_use(), before + (uint64_t{17} << 20));
  EXPECT_EQ(store->usage().bytes, 0u);
}

}  // namespace
}  // namespace tarn::store
