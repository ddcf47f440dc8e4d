// A bit that flips between the writing of a value and its reading is never answered as data.
#include "server/store/sealed_kv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "server/store/keys.h"
#include "server/store/walk.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/store/tree.h"

namespace tarn::store {
namespace {

using ::testing::ElementsAre;

class SealedKvTest : public ::testing::Test {
 protected:
  void Put(Kv& kv, Family f, const std::string& key, const std::string& value) {
    Batch batch;
    batch.Put(f, key, Bytes::Copy(value));
    ASSERT_OK(kv.Write(batch, Tier::kMayBlock));
  }
  std::string Raw(Family f, const std::string& key) {
    return std::string(disk_.Get(f, key, Tier::kMayBlock).value()->view);
  }
  // Flips one bit of a stored value.
  void Flip(Family f, const std::string& key, size_t bit) {
    std::string value = Raw(f, key);
    value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << (bit % 8)));
    Put(disk_, f, key, value);
  }

  testing::MemKv disk_;
  std::unique_ptr<Kv> kv_ = MakeSealedKv(disk_.Reopen());
};

TEST_F(SealedKvTest, SealsAreGolden) {  // on disk: what is written today must be read for ever
  const auto hex = [](const Bytes& bytes) { return absl::BytesToHexString(bytes.ToString()); };
  EXPECT_EQ(hex(Seal(Family::kInode, "key", Bytes::Copy("value"))),
            "76616c7565" "8e11112e79cf9fb1");
  EXPECT_EQ(hex(Seal(Family::kBlock, "", Bytes())), "0349ae438b5e048d");
  const std::string big = hex(Seal(Family::kBlock, "k", Bytes::Zeros(16'384)));
  EXPECT_EQ(big.substr(2 * 16'384), "4ddb40b9ffd9982f");
}

TEST_F(SealedKvTest, ValueOfManySlicesIsSealedAsOne) {
  Bytes parts = Bytes::Copy("ab");
  parts.Append(Bytes::Zeros(10'000));
  parts.Append(Bytes::Copy("c"));
  const std::string whole = parts.ToString();
  EXPECT_EQ(Seal(Family::kBlock, "k", parts).ToString(),
            Seal(Family::kBlock, "k", Bytes::Copy(whole)).ToString());
  EXPECT_EQ(Unseal(Family::kBlock, "k", Seal(Family::kBlock, "k", parts).ToString()).value(),
            whole);
}

TEST_F(SealedKvTest, EveryFlippedBitIsEIO) {
  Put(*kv_, Family::kInode, "k", "some value");
  const size_t bits = 8 * Raw(Family::kInode, "k").size();
  EXPECT_EQ(bits, 8 * (10 + kSealBytes));
  for (size_t bit = 0; bit < bits; ++bit) {
    Flip(Family::kInode, "k", bit);
    EXPECT_ERROR(kEIO, kv_->Get(Family::kInode, "k", Tier::kMayBlock));
    EXPECT_ERROR(kEIO, kv_->GetMany(Family::kInode, {"k"}, Tier::kMayBlock));
    Flip(Family::kInode, "k", bit);
  }
  EXPECT_OK(kv_->Get(Family::kInode, "k", Tier::kMayBlock));
}

TEST_F(SealedKvTest, ValueUnderAnotherKeyOrFamilyIsEIO) {
  Put(*kv_, Family::kInode, "k", "v");
  Put(disk_, Family::kInode, "j", Raw(Family::kInode, "k"));
  Put(disk_, Family::kXattr, "k", Raw(Family::kInode, "k"));
  Put(disk_, Family::kXattr, "short", "1234567");
  EXPECT_ERROR(kEIO, kv_->Get(Family::kInode, "j", Tier::kMayBlock));
  EXPECT_ERROR(kEIO, kv_->Get(Family::kXattr, "k", Tier::kMayBlock));
  EXPECT_ERROR(kEIO, kv_->Get(Family::kXattr, "short", Tier::kMayBlock));
}

TEST_F(SealedKvTest, WalkStopsAtABadValueAndAToughOneGoesOn) {
  for (const char* key : {"a", "b", "c", "d"}) Put(*kv_, Family::kXattr, key, key);
  Flip(Family::kXattr, "b", 3);
  auto it = kv_->Iterate(Family::kXattr, "", "", Tier::kMayBlock);
  it->Seek("");
  EXPECT_EQ(it->value(), "a");
  it->Next();
  EXPECT_FALSE(it->Valid());
  EXPECT_ERROR(kEIO, it->status());

  std::vector<std::string> seen;
  ToughWalk walk(*kv_, Family::kXattr, "", "");
  while (walk.Next()) {
    const Damage* damage = walk.damage();
    seen.push_back(damage ? damage->from + " to " + damage->to : std::string(walk.key()));
  }
  EXPECT_THAT(seen, ElementsAre("a", "a to c", "c", "d"));
}

TEST_F(SealedKvTest, ToughWalkEndsWhereNothingMoreCanBeRead) {
  for (const char* key : {"a", "b", "c"}) Put(*kv_, Family::kXattr, key, key);
  Flip(Family::kXattr, "a", 0);
  Flip(Family::kXattr, "c", 0);
  std::vector<std::string> seen;
  ToughWalk walk(*kv_, Family::kXattr, "", "");
  while (walk.Next()) {
    const Damage* damage = walk.damage();
    seen.push_back(damage ? damage->from + " to " + damage->to : std::string(walk.key()));
  }
  EXPECT_THAT(seen, ElementsAre(" to b", "b", "b to "));
}

// A file's flipped bit concerns the readers of that file, and of that block.
TEST_F(SealedKvTest, OtherFilesAndBlocksAreReadOn) {
  TestClock clock;
  ASSERT_OK_AND_ASSIGN(auto store, Store::Open(disk_.Reopen(), clock, true, "test"));
  Tree tree(*store);
  const Handle bad = tree.MakeFile(Tree::kRoot, "bad", std::string(40'000, 'x'));
  const Handle good = tree.MakeFile(Tree::kRoot, "good", "content");
  const Inode inode = tree.Get(bad.ino);
  Flip(Family::kBlock, BlockKey(inode.data, 1), 12'345);
  EXPECT_EQ(tree.Read(bad.ino), "EIO");
  EXPECT_EQ(tree.Read(good.ino), "content");
  auto txn = store->Begin(Tier::kMayBlock, nullptr);
  EXPECT_OK(txn->ReadData(inode, 0, 16'384));
  EXPECT_ERROR(kEIO, txn->ReadData(inode, 16'383, 2));
  EXPECT_OK(txn->ReadData(inode, 32'768, 100));
}

}  // namespace
}  // namespace tarn::store
