// File contents against a plain vector of bytes, with every step's size, allocation, data and
// holes compared; over both engines.
#include "server/store/blocks.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "common/limits.h"
#include "server/store/keys.h"
#include "tests/unit/store/store_fixture.h"

namespace tarn::store {
namespace {

constexpr uint64_t kB = kBlockBytes;

class BlocksTest : public ::testing::TestWithParam<Engine> {
 protected:
  BlocksTest() : ino_(box_.MakeFile()) {}
  uint64_t Allocated() { return box_.Get(ino_).attr.allocated; }
  uint64_t Size() { return box_.Get(ino_).attr.size; }
  void Drop(uint64_t offset, uint64_t length) {
    box_.Change(ino_, [&](Txn& txn, Inode& i) { return txn.DropRange(i, offset, length); });
  }
  std::optional<uint64_t> FindData(uint64_t offset) {
    auto txn = box_.Begin();
    const Inode inode = txn->GetInode(ino_).value().value();
    return txn->FindData(inode, offset).value();
  }
  uint64_t FindHole(uint64_t offset) {
    auto txn = box_.Begin();
    const Inode inode = txn->GetInode(ino_).value().value();
    return txn->FindHole(inode, offset).value();
  }

  StoreBox box_{GetParam()};
  const Ino ino_;
};

TEST_P(BlocksTest, EmptyFileHasNothing) {
  EXPECT_EQ(box_.Read(ino_, 0, 100), "");
  EXPECT_EQ(Allocated(), 0u);
  EXPECT_EQ(box_.Get(ino_).data, DataId{});
}

TEST_P(BlocksTest, WriteAcrossBlocksReadsBack) {
  std::string data(3 * kB, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 7);
  box_.Write(ino_, kB / 2, data);
  EXPECT_EQ(Size(), kB / 2 + 3 * kB);
  EXPECT_EQ(box_.Read(ino_, 0, 10 * kB), std::string(kB / 2, '\0') + data);
  EXPECT_EQ(Allocated(), kB / 2 + 3 * kB);
}

TEST_P(BlocksTest, OverwriteMergesWithWhatIsThere) {
  box_.Write(ino_, 0, std::string(kB + 100, 'a'));
  box_.Write(ino_, kB - 2, "bbbb");
  EXPECT_EQ(box_.Read(ino_, kB - 4, 8), "aabbbbaa");
  EXPECT_EQ(Size(), kB + 100);
}

TEST_P(BlocksTest, HoleReadsAsZerosAndOccupiesNothing) {
  box_.Write(ino_, 100 * kB, "x");
  EXPECT_EQ(Allocated(), 4096u);
  EXPECT_EQ(box_.Read(ino_, 50 * kB, 5), std::string(5, '\0'));
  EXPECT_EQ(FindData(0), 100 * kB);
  EXPECT_EQ(FindHole(0), 0u);
  EXPECT_EQ(FindHole(100 * kB), 100 * kB + 1);
}

TEST_P(BlocksTest, ByteAtTheLargestOffsetWorksAndBeyondFailsEFBIG) {
  box_.Write(ino_, kFileMaxBytes - 1, "x");
  EXPECT_EQ(Size(), kFileMaxBytes);
  EXPECT_EQ(Allocated(), (kFileMaxBytes - 1) % kB / 4096 * 4096 + 4096);
  EXPECT_EQ(box_.Read(ino_, kFileMaxBytes - 2, 5), std::string("\0x", 2));
  auto txn = box_.Begin();
  Inode inode = txn->GetInode(ino_).value().value();
  EXPECT_ERROR(kEFBIG, txn->WriteData(inode, kFileMaxBytes, Bytes::Copy("x")));
  EXPECT_ERROR(kEFBIG, txn->WriteData(inode, UINT64_MAX, Bytes::Copy("x")));
  EXPECT_ERROR(kEFBIG, txn->SetSize(inode, kFileMaxBytes + 1));
  txn.reset();
  box_.SetSize(ino_, 10);
  EXPECT_EQ(Allocated(), 0u);
}

TEST_P(BlocksTest, ShrinkThenExtendShowsZerosNotOldBytes) {
  box_.Write(ino_, 0, std::string(2 * kB, 'a'));
  box_.SetSize(ino_, 10);
  EXPECT_EQ(Allocated(), 4096u);
  box_.SetSize(ino_, 2 * kB);
  EXPECT_EQ(box_.Read(ino_, 0, 2 * kB), std::string(10, 'a') + std::string(2 * kB - 10, '\0'));
}

TEST_P(BlocksTest, TruncationToZeroTakesANewDataId) {
  box_.Write(ino_, 0, std::string(5 * kB, 'a'));
  const DataId before = box_.Get(ino_).data;
  box_.SetSize(ino_, 0);
  EXPECT_EQ(box_.Get(ino_).data, DataId{});
  EXPECT_EQ(Allocated(), 0u);
  box_.Write(ino_, 0, "b");
  EXPECT_NE(box_.Get(ino_).data, before);
  EXPECT_EQ(box_.Read(ino_, 0, 10), "b");
}

TEST_P(BlocksTest, TransactionSeesItsOwnWritesCutsAndHoles) {
  box_.Write(ino_, 0, std::string(200 * kB, 'a'));
  auto txn = box_.Begin();
  Inode i = txn->GetInode(ino_).value().value();
  ASSERT_OK(txn->SetSize(i, kB));  // a cut by range
  ASSERT_OK(txn->WriteData(i, 100 * kB, Bytes::Copy("new")));
  ASSERT_OK(txn->DropRange(i, 0, kB));
  EXPECT_EQ(i.attr.size, 100 * kB + 3);
  EXPECT_EQ(i.attr.allocated, 4096u);
  EXPECT_EQ(txn->ReadData(i, 100 * kB - 1, 10).value().ToString(), std::string("\0new", 4));
  EXPECT_EQ(txn->FindData(i, 0).value(), 100 * kB);
  txn->PutInode(i);
  ASSERT_OK(txn->Commit());
  EXPECT_EQ(box_.Read(ino_, 100 * kB - 1, 10), std::string("\0new", 4));
  EXPECT_EQ(box_.Read(ino_, 0, kB), std::string(kB, '\0'));
  EXPECT_EQ(FindData(0), 100 * kB);
}

// The reference: bytes, and which 4 KiB units of which blocks are there. A block has the units up
// to its last byte ever written since it was last cut: what layout.h promises.
class Reference {
 public:
  void Write(uint64_t offset, const std::string& data) {
    for (size_t i = 0; i < data.size(); ++i) bytes_[offset + i] = data[i];
    size_ = std::max(size_, offset + data.size());
    for (uint64_t at = offset; at < offset + data.size();) {
      const uint64_t next = std::min(offset + data.size(), (at / kB + 1) * kB);
      uint64_t& length = lengths_[at / kB];
      length = std::max(length, next - at / kB * kB);
      at = next;
    }
  }
  void SetSize(uint64_t size) {
    if (size < size_) Cut(size, size_ - size);
    size_ = size;
  }
  void Cut(uint64_t offset, uint64_t length) {
    const uint64_t end = std::min(size_, offset + length);
    bytes_.erase(bytes_.lower_bound(offset), bytes_.lower_bound(end));
    for (auto it = lengths_.lower_bound(offset / kB); it != lengths_.end();) {
      const uint64_t start = it->first * kB;
      if (start >= end) break;
      const uint64_t kept = offset > start ? std::min(it->second, offset - start) : 0;
      if (start + it->second <= end) it->second = kept;
      it = it->second == 0 ? lengths_.erase(it) : std::next(it);
    }
  }
  uint64_t size() const { return size_; }
  uint64_t Allocated() const {
    uint64_t sum = 0;
    for (const auto& [block, length] : lengths_) sum += Layout::Allocation(length);
    return sum;
  }
  std::string Read(uint64_t offset, size_t n) const {
    if (offset >= size_) return "";
    std::string out(std::min<uint64_t>(n, size_ - offset), '\0');
    for (auto it = bytes_.lower_bound(offset); it != bytes_.end(); ++it) {
      if (it->first >= offset + out.size()) break;
      out[it->first - offset] = it->second;
    }
    return out;
  }
  std::optional<uint64_t> FindData(uint64_t offset) const {
    for (const auto& [block, length] : lengths_) {
      const uint64_t end = block * kB + Layout::Allocation(length);
      if (end > offset) return std::max(offset, block * kB);
    }
    return std::nullopt;
  }
  uint64_t FindHole(uint64_t offset) const {
    for (const auto& [block, length] : lengths_) {
      if (block * kB > offset) break;
      offset = std::max(offset, block * kB + Layout::Allocation(length));
    }
    return std::min(offset, size_);
  }

 private:
  std::map<uint64_t, char> bytes_;
  std::map<uint64_t, uint64_t> lengths_;  // of the value of each block that is there
  uint64_t size_ = 0;
};

struct RandomRun {
  unsigned seed;
  uint64_t reach;  // offsets go up to here
};

class RandomContents {
 public:
  RandomContents(StoreBox& box, Ino ino, RandomRun run)
      : box_(box), ino_(ino), run_(run), random_(run.seed) {}

  void Step() {
    const uint64_t offset = Offset();
    switch (random_() % 8) {
      case 0:
        reference_.SetSize(offset);
        return box_.SetSize(ino_, offset);
      case 1:
      case 2: {
        const uint64_t length = 1 + random_() % (4 * kB);
        if (offset < reference_.size()) reference_.Cut(offset, length);
        return box_.Change(ino_, [&](Txn& txn, Inode& i) {
          return txn.DropRange(i, offset, length);
        });
      }
      default: {
        const std::string data = Data();
        reference_.Write(offset, data);
        return box_.Write(ino_, offset, data);
      }
    }
  }

  void Compare() {
    const Inode inode = box_.Get(ino_);
    ASSERT_EQ(inode.attr.size, reference_.size());
    ASSERT_EQ(inode.attr.allocated, reference_.Allocated());
    ASSERT_EQ((*box_).usage().bytes, reference_.Allocated());
    const uint64_t at = Offset();
    ASSERT_EQ(box_.Read(ino_, at, 3 * kB), reference_.Read(at, 3 * kB)) << at;
    if (at >= reference_.size()) return;
    auto txn = box_.Begin();
    // Where all units are there a file counts as dense, whatever a block's length.
    ASSERT_EQ(txn->FindData(inode, at).value(), reference_.FindData(at)) << at;
    ASSERT_EQ(txn->FindHole(inode, at).value(), reference_.FindHole(at)) << at;
  }

 private:
  uint64_t Offset() {
    uint64_t offset = random_() % run_.reach;
    if (random_() % 3 == 0) offset = offset / kB * kB;
    if (random_() % 3 == 0) offset = std::min(offset, reference_.size());
    return offset;
  }
  std::string Data() {
    const size_t size = random_() % 4 == 0 ? (1 + random_() % 3) * kB : 1 + random_() % (2 * kB);
    std::string data(size, '\0');
    for (size_t i = 0; i < size; i += 97) data[i] = static_cast<char>(random_());
    return data;
  }

  StoreBox& box_;
  const Ino ino_;
  const RandomRun run_;
  std::mt19937_64 random_;
  Reference reference_;
};

TEST_P(BlocksTest, RandomOperationsMatchPlainBytes) {
  const RandomRun runs[] = {{1, 4 * kB}, {2, 20 * kB}, {3, 200 * kB}, {4, kFileMaxBytes - 4 * kB}};
  for (const RandomRun& run : runs) {
    SCOPED_TRACE(run.seed);
    StoreBox box(GetParam());
    RandomContents contents(box, box.MakeFile(), run);
    for (int step = 0; step < 150; ++step) {
      SCOPED_TRACE(step);
      contents.Step();
      contents.Compare();
      if (HasFatalFailure()) return;
      if (step % 50 == 49) box.Reopen();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, BlocksTest, ::testing::Values(Engine::kMem, Engine::kRocks),
                         EngineName);

// What a write reads: counted where memory-only reads of blocks fail.
class BlockReadsTest : public ::testing::Test {
 protected:
  BlockReadsTest() {
    auto kv = std::make_unique<testing::MemKv>();
    kv_ = kv.get();
    store_ = Store::Open(std::move(kv), clock_, true, "test").value();
    auto txn = store_->Begin(Tier::kMayBlock, nullptr);
    inode_ = NewFile(txn->NewIno().value());
    EXPECT_OK(txn->WriteData(inode_, 0, Bytes::Zeros(4 * kB)));
    txn->PutInode(inode_);
    EXPECT_OK(txn->Commit());
    kv_->SetBlocked([](Family f, std::string_view) { return f == Family::kBlock; });
  }
  Status Write(uint64_t offset, size_t n) {
    auto txn = store_->Begin(Tier::kMemoryOnly, nullptr);
    Inode inode = inode_;
    return txn->WriteData(inode, offset, Bytes::Zeros(n));
  }

  TestClock clock_;
  testing::MemKv* kv_ = nullptr;
  std::unique_ptr<Store> store_;
  Inode inode_;
};

TEST_F(BlockReadsTest, WholeBlocksOfADenseFileAreNotRead) {
  EXPECT_OK(Write(0, 4 * kB));
  EXPECT_OK(Write(kB, kB));
  EXPECT_OK(Write(4 * kB, 100));       // appended
  EXPECT_OK(Write(3 * kB, 2 * kB));    // over the end
  EXPECT_OK(Write(100 * kB, kB + 1));  // beyond the end
}

TEST_F(BlockReadsTest, PartOfABlockReadsThatBlock) {
  EXPECT_ERROR(kBlocked, Write(0, 1));
  EXPECT_ERROR(kBlocked, Write(kB, kB + 1));
  kv_->SetBlocked([](Family f, std::string_view key) {
    return f == Family::kBlock && BlockIndexOf(key) != 2u;
  });
  EXPECT_OK(Write(kB, kB + 1));
}

}  // namespace
}  // namespace tarn::store
