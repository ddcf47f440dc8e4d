// The contract of Kv, held by the engine in memory and by RocksDB alike.
#include "server/store/kv.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "server/store/keys.h"
#include "tests/unit/store/store_fixture.h"

namespace tarn::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class KvTest : public ::testing::TestWithParam<Engine> {
 protected:
  void SetUp() override { kv_ = box_.Open(); }
  void Put(Family f, const std::string& key, const std::string& value) {
    Batch batch;
    batch.Put(f, key, Bytes::Copy(value));
    ASSERT_OK(kv_->Write(batch, Tier::kMayBlock));
  }
  std::optional<std::string> Get(Family f, const std::string& key, Tier tier = Tier::kMayBlock) {
    auto value = kv_->Get(f, key, tier);
    EXPECT_OK(value);
    if (!value.ok() || !*value) return std::nullopt;
    return std::string((*value)->view);
  }
  std::vector<std::string> Keys(Family f, const std::string& lower, const std::string& upper) {
    std::vector<std::string> keys;
    auto it = kv_->Iterate(f, lower, upper, Tier::kMayBlock);
    for (it->Seek(lower); it->Valid(); it->Next()) keys.emplace_back(it->key());
    EXPECT_OK(it->status());
    return keys;
  }

  EngineBox box_{GetParam()};
  std::unique_ptr<Kv> kv_;
};

TEST_P(KvTest, GetSeesWhatWasWrittenInItsFamilyOnly) {
  Put(Family::kInode, "k", "v");
  EXPECT_EQ(Get(Family::kInode, "k"), "v");
  EXPECT_EQ(Get(Family::kInode, "k", Tier::kMemoryOnly), "v");  // fresh: in memory
  EXPECT_EQ(Get(Family::kXattr, "k"), std::nullopt);
  EXPECT_EQ(Get(Family::kInode, "j"), std::nullopt);
}

TEST_P(KvTest, ValueOfManySlicesIsOneValue) {
  Batch batch;
  Bytes value = Bytes::Copy("abc");
  value.Append(Bytes::Zeros(2));
  value.Append(Bytes::Copy("def"));
  batch.Put(Family::kBlock, "k", value);
  batch.Put(Family::kBlock, "empty", Bytes());
  ASSERT_OK(kv_->Write(batch, Tier::kMemoryOnly));
  EXPECT_EQ(Get(Family::kBlock, "k"), std::string("abc\0\0def", 8));
  EXPECT_EQ(Get(Family::kBlock, "empty"), "");
}

TEST_P(KvTest, SliceOutlivesItsKeyAndTheEngine) {
  const std::string big(100'000, 'x');
  Put(Family::kBlock, "k", big);
  auto value = kv_->Get(Family::kBlock, "k", Tier::kMayBlock);
  ASSERT_OK(value);
  Batch batch;
  batch.Delete(Family::kBlock, "k");
  ASSERT_OK(kv_->Write(batch, Tier::kMayBlock));
  kv_.reset();
  EXPECT_EQ(value.value()->view, big);
}

TEST_P(KvTest, GetManyAnswersInOrderWithGaps) {
  std::vector<std::string> keys;
  for (uint32_t i = 0; i < 100; ++i) {
    keys.push_back(Be32(i));
    if (i % 3 != 0) Put(Family::kBlock, keys.back(), "v" + std::to_string(i));
  }
  ASSERT_OK_AND_ASSIGN(const auto values, kv_->GetMany(Family::kBlock, keys, Tier::kMayBlock));
  ASSERT_EQ(values.size(), keys.size());
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_EQ(values[i].has_value(), i % 3 != 0) << i;
    if (i % 3 != 0) {
      EXPECT_EQ(values[i]->view, "v" + std::to_string(i));
    }
  }
}

TEST_P(KvTest, IterateKeepsToItsRangeInOrder) {
  for (const char* key : {"b", "a", "d", "c"}) Put(Family::kDentry, key, key);
  EXPECT_THAT(Keys(Family::kDentry, "b", "d"), ElementsAre("b", "c"));
  EXPECT_THAT(Keys(Family::kDentry, "b", ""), ElementsAre("b", "c", "d"));
  EXPECT_THAT(Keys(Family::kDentry, "x", ""), IsEmpty());
}

TEST_P(KvTest, IterateShowsTheMomentItBegan) {
  Put(Family::kDentry, "a", "1");
  auto it = kv_->Iterate(Family::kDentry, "", "", Tier::kMayBlock);
  Put(Family::kDentry, "b", "2");
  it->Seek("");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->value(), "1");
  it->Next();
  EXPECT_FALSE(it->Valid());
}

TEST_P(KvTest, BatchAppliesInOrder) {
  for (const char* key : {"a", "b", "c"}) Put(Family::kBlock, key, "old");
  Batch batch;
  batch.DeleteRange(Family::kBlock, "a", "c");
  batch.Put(Family::kBlock, "b", Bytes::Copy("new"));
  batch.Delete(Family::kBlock, "c");
  ASSERT_OK(kv_->Write(batch, Tier::kMayBlock));
  EXPECT_THAT(Keys(Family::kBlock, "", ""), ElementsAre("b"));
  EXPECT_EQ(Get(Family::kBlock, "b"), "new");
}

TEST_P(KvTest, AddSumsFromZeroAcrossReopening) {
  auto add = [this](int64_t delta) {
    Batch batch;
    batch.Add(Family::kSuper, "n", delta);
    ASSERT_OK(kv_->Write(batch, Tier::kMayBlock));
  };
  add(5);
  add(-7);
  kv_.reset();
  kv_ = box_.Open();
  add(100);
  EXPECT_EQ(ReadLe64(*Get(Family::kSuper, "n")), 98);
}

TEST_P(KvTest, DestroyAndCompactKeepTheNeighbours) {
  const std::string value(4096, 'v');
  for (uint32_t i = 0; i < 2000; ++i) Put(Family::kBlock, Be32(i), value);
  ASSERT_OK(kv_->Destroy(Family::kBlock, Be32(500), Be32(1500)));
  EXPECT_EQ(Keys(Family::kBlock, "", "").size(), 1000u);
  EXPECT_EQ(Get(Family::kBlock, Be32(499)), value);
  EXPECT_EQ(Get(Family::kBlock, Be32(1500)), value);
  Batch batch;
  for (uint32_t i = 0; i < 400; ++i) batch.Delete(Family::kBlock, Be32(i));
  ASSERT_OK(kv_->Write(batch, Tier::kMayBlock));
  ASSERT_OK(kv_->Compact(Family::kBlock, Be32(0), Be32(400), 400 * 4096));
  EXPECT_EQ(Keys(Family::kBlock, "", "").size(), 600u);
}

INSTANTIATE_TEST_SUITE_P(Engines, KvTest, ::testing::Values(Engine::kMem, Engine::kRocks),
                         EngineName);

// ---- RocksDB alone ----

TEST(RocksKvTest, MemoryOnlyReadOfWhatIsOnDiskIsBlocked) {
  ScratchDir dir;
  const std::string value(8192, 'v');
  {
    auto kv = OpenRocksKv(dir.path() + "/db", true, MakeRocksMemory(SmallRocks())).value();
    Batch batch;
    for (uint32_t i = 0; i < 100; ++i) batch.Put(Family::kBlock, Be32(i), Bytes::Copy(value));
    ASSERT_OK(kv->Write(batch, Tier::kMayBlock));
    ASSERT_OK(kv->Compact(Family::kBlock, "", "\xff", UINT64_MAX));  // now in tables
  }
  auto kv = OpenRocksKv(dir.path() + "/db", false, MakeRocksMemory(SmallRocks())).value();
  EXPECT_ERROR(kBlocked, kv->Get(Family::kBlock, Be32(7), Tier::kMemoryOnly));
  EXPECT_ERROR(kBlocked, kv->GetMany(Family::kBlock, {Be32(7), Be32(8)}, Tier::kMemoryOnly));
  auto it = kv->Iterate(Family::kBlock, "", "", Tier::kMemoryOnly);
  it->Seek("");
  EXPECT_FALSE(it->Valid());
  EXPECT_ERROR(kBlocked, it->status());
  ASSERT_OK(kv->Get(Family::kBlock, Be32(7), Tier::kMayBlock));
  EXPECT_OK(kv->Get(Family::kBlock, Be32(7), Tier::kMemoryOnly));  // cached by now
}

TEST(RocksKvTest, RecordIsStillInMemoryAfterItsFlush) {
  ScratchDir dir;
  RocksKvOptions options = SmallRocks();
  options.max_open_files = 768;  // so that all tables are kept open
  auto kv = OpenRocksKv(dir.path() + "/db", true, MakeRocksMemory(options)).value();
  const std::string value(64 * 1024, 'v');
  for (uint32_t i = 0; i < 400; ++i) {
    Batch batch;
    batch.Put(Family::kInode, Be32(i), Bytes::Copy("record"));
    batch.Put(Family::kBlock, Be32(i), Bytes::Copy(value));
    ASSERT_OK(kv->Write(batch, Tier::kMayBlock));
  }
  ASSERT_OK(kv->Destroy(Family::kBlock, Be32(0), Be32(400)));  // flushes all, for a short log
  for (uint32_t i = 0; i < 400; ++i) {
    const auto record = kv->Get(Family::kInode, Be32(i), Tier::kMemoryOnly);
    ASSERT_OK(record);
    EXPECT_EQ((*record)->view, "record") << i;
  }
}

// The files of an open database are what the death of its process leaves.
TEST(RocksKvTest, WrittenBatchSurvivesTheDeathOfTheProcess) {
  ScratchDir dir;
  auto memory = MakeRocksMemory(SmallRocks());
  auto kv = OpenRocksKv(dir.path() + "/db", true, memory);
  ASSERT_OK(kv);
  Batch batch;
  batch.Put(Family::kInode, "k", Bytes::Copy("v"));
  ASSERT_OK(kv.value()->Write(batch, Tier::kMayBlock));
  std::filesystem::copy(dir.path() + "/db", dir.path() + "/left");
  auto left = OpenRocksKv(dir.path() + "/left", false, memory);
  ASSERT_OK(left);
  EXPECT_EQ(left.value()->Get(Family::kInode, "k", Tier::kMayBlock).value()->view, "v");
}

// RocksDB answers such a read with an empty value, as if that were stored: after a restart with
// many tables holes would have been read where there are data.
TEST(RocksKvTest, MemoryOnlyReadOfATableThatIsNotOpenIsBlocked) {
  ScratchDir dir;
  constexpr int kRounds = 3;  // a start puts what the log holds into one table for each family
  auto key = [](int round) { return "k" + std::to_string(round); };
  for (int round = 0; round <= kRounds; ++round) {
    auto kv = OpenRocksKv(dir.path() + "/db", true, MakeRocksMemory(SmallRocks()));
    ASSERT_OK(kv);
    int blocked = 0;
    for (int f = 0; f < kFamilies; ++f) {
      for (int i = 0; i < round; ++i) {
        auto value = (*kv)->Get(static_cast<Family>(f), key(i), Tier::kMemoryOnly);
        if (value.code() == Errno::kBlocked) {
          ++blocked;
          value = (*kv)->Get(static_cast<Family>(f), key(i), Tier::kMayBlock);
        }
        ASSERT_OK(value);
        ASSERT_TRUE(value->has_value());
        EXPECT_EQ((*value)->view, "value");
      }
    }
    if (round == kRounds) {
      EXPECT_GT(blocked, 0);
    }
    Batch batch;
    for (int f = 0; f < kFamilies; ++f) {
      batch.Put(static_cast<Family>(f), key(round), Bytes::Copy("value"));
    }
    ASSERT_OK((*kv)->Write(batch, Tier::kMayBlock));
  }
}

// RocksDB 7.8 ends such a walk at the border of two tables as if nothing came behind it: a listing
// without its end, an empty directory that is none.
TEST(RocksKvTest, MemoryOnlyWalkOverTablesIsWholeOrBlocked) {
  ScratchDir dir;
  {
    auto kv = OpenRocksKv(dir.path() + "/db", true, MakeRocksMemory(SmallRocks()));
    ASSERT_OK(kv);
    for (const std::string letter : {"a", "b", "c"}) {  // a table each, on one level
      for (int f = 0; f < kFamilies; ++f) {
        const auto family = static_cast<Family>(f);
        Batch batch;
        for (int i = 0; i < 9; ++i) {
          batch.Put(family, letter + std::to_string(i), Bytes::Copy("v"));
        }
        ASSERT_OK((*kv)->Write(batch, Tier::kMayBlock));
        ASSERT_OK((*kv)->Compact(family, letter, letter + "~", UINT64_MAX));
      }
    }
  }
  auto kv = OpenRocksKv(dir.path() + "/db", true, MakeRocksMemory(SmallRocks()));
  ASSERT_OK(kv);
  for (int f = 0; f < kFamilies; ++f) {
    const auto family = static_cast<Family>(f);
    for (const std::string start : {"", "a9", "b", "b9"}) {
      std::vector<std::string> whole, quick;
      auto slow = (*kv)->Iterate(family, "", "", Tier::kScan);
      for (slow->Seek(start); slow->Valid(); slow->Next()) whole.emplace_back(slow->key());
      ASSERT_OK(slow->status());
      ASSERT_OK((*kv)->Get(family, "a1", Tier::kMayBlock));  // one table is in memory
      if (start == "b") {
        ASSERT_OK((*kv)->Get(family, "b1", Tier::kMayBlock));
      }
      auto it = (*kv)->Iterate(family, "", "", Tier::kMemoryOnly);
      for (it->Seek(start); it->Valid(); it->Next()) quick.emplace_back(it->key());
      if (it->status().ok()) {
        EXPECT_EQ(quick, whole) << f << " from " << start;
      }
      if (!it->status().ok()) {
        EXPECT_ERROR(kBlocked, it->status());
      }
    }
  }
}

TEST(RocksKvTest, SecondOpenIsRefusedWithASentence) {
  ScratchDir dir;
  auto memory = MakeRocksMemory(SmallRocks());
  auto kv = OpenRocksKv(dir.path() + "/db", true, memory);
  ASSERT_OK(kv);
  auto second = OpenRocksKv(dir.path() + "/db", true, memory);
  EXPECT_ERROR(kEBUSY, second);
  EXPECT_THAT(second.error().message, HasSubstr("another tarnd has it open"));
}

TEST(RocksKvTest, OpenInAnotherProcessIsRefusedWithASentence) {
  ScratchDir dir;
  auto memory = MakeRocksMemory(SmallRocks());
  ASSERT_OK(OpenRocksKv(dir.path() + "/db", true, memory));
  const std::string lock_file = dir.path() + "/db/LOCK";
  int ready[2], stop[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(stop), 0);
  const pid_t other = fork();
  if (other == 0) {  // holds RocksDB's lock until it is told to stop
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    char byte = fcntl(open(lock_file.c_str(), O_RDWR), F_SETLK, &lock) == 0 ? 'y' : 'n';
    close(stop[1]);
    if (write(ready[1], &byte, 1) == 1) (void)!read(stop[0], &byte, 1);
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  auto second = OpenRocksKv(dir.path() + "/db", false, memory);
  EXPECT_ERROR(kEBUSY, second);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().message, HasSubstr("another tarnd has it open"));
  close(stop[1]);
  ASSERT_EQ(waitpid(other, nullptr, 0), other);
  for (int fd : {ready[0], ready[1], stop[0]}) close(fd);
}

TEST(RocksKvTest, OpenOfNothingFailsENOENT) {
  ScratchDir dir;
  EXPECT_ERROR(kENOENT,
               OpenRocksKv(dir.path() + "/none", false, MakeRocksMemory(SmallRocks())));
}

TEST(RocksKvTest, DamagedDatabaseIsReportedAsCorrupt) {
  ScratchDir dir;
  auto memory = MakeRocksMemory(SmallRocks());
  ASSERT_OK(OpenRocksKv(dir.path() + "/db", true, memory));
  for (const auto& entry : std::filesystem::directory_iterator(dir.path() + "/db")) {
    if (entry.path().filename().string().starts_with("MANIFEST")) {
      std::filesystem::resize_file(entry.path(), 10);
    }
  }
  auto kv = OpenRocksKv(dir.path() + "/db", false, memory);
  EXPECT_ERROR(kEIO, kv);
  ASSERT_FALSE(kv.ok());
  EXPECT_THAT(kv.error().message, HasSubstr("is corrupt"));
}

}  // namespace
}  // namespace tarn::store
