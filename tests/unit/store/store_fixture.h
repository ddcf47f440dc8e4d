// What the store's tests share: a directory, a clock, both engines, and stores opened on them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "server/store/rocks_kv.h"
#include "server/store/store.h"
#include "tests/support/expect.h"
#include "tests/support/mem_kv.h"

namespace tarn::store {

// A directory that is gone with the object; in memory if there is room: nothing here is about the
// disk, and its syncs take seconds when others keep it busy.
class ScratchDir {
 public:
  ScratchDir() {
    std::error_code error;
    const auto memory = std::filesystem::space("/dev/shm", error);
    const bool roomy = !error && memory.available > (uintmax_t{1} << 30);
    std::string name = (roomy ? "/dev/shm/" : ::testing::TempDir()) + "tarn-store-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class TestClock : public Clock {
 public:
  Timestamp Now() override { return now; }
  int64_t BootNanos() override { return now.ns; }
  Timestamp now{1'700'000'000'000'000'000};
};

// Small enough that tests reach flushes and evictions.
inline RocksKvOptions SmallRocks() {
  RocksKvOptions options;
  options.block_cache_bytes = size_t{8} << 20;
  options.write_buffer_bytes = size_t{4} << 20;
  options.wal_bytes = size_t{4} << 20;
  options.max_open_files = 64;
  return options;
}

enum class Engine { kMem, kRocks };
inline std::string EngineName(const ::testing::TestParamInfo<Engine>& info) {
  return info.param == Engine::kMem ? "Mem" : "Rocks";
}

// An engine of either kind that can be opened again.
class EngineBox {
 public:
  explicit EngineBox(Engine engine) : engine_(engine), memory_(MakeRocksMemory(SmallRocks())) {}

  // What the last one held. REQUIRES: the last one is gone (Rocks).
  std::unique_ptr<Kv> Open() {
    if (engine_ == Engine::kMem) return disk_.Reopen();
    auto kv = OpenRocksKv(dir_.path() + "/db", true, memory_);
    EXPECT_OK(kv);
    return std::move(kv).value();
  }

 private:
  const Engine engine_;
  ScratchDir dir_;
  std::shared_ptr<RocksMemory> memory_;
  testing::MemKv disk_;
};

inline Inode NewFile(Ino ino) {
  Inode inode;
  inode.attr.ino = ino;
  inode.attr.mode = 0644;
  inode.attr.nlink = 1;
  return inode;
}

// A store that can be closed and opened, with shorthands for one-transaction deeds.
class StoreBox {
 public:
  explicit StoreBox(Engine engine) : engine_(engine) { Open(); }

  void Open() {
    auto store = Store::Open(engine_.Open(), clock, true, "test");
    ASSERT_OK(store);
    store_ = std::move(store).value();
  }
  void Close() { store_.reset(); }
  void Reopen() {
    Close();
    Open();
  }
  Store& operator*() { return *store_; }
  Store* operator->() { return store_.get(); }

  std::unique_ptr<Txn> Begin(Tier tier = Tier::kMayBlock) { return store_->Begin(tier, nullptr); }
  // Makes a file with a name elsewhere (nlink 1).
  Ino MakeFile() {
    auto txn = Begin();
    const Ino ino = txn->NewIno().value();
    txn->PutInode(NewFile(ino));
    EXPECT_OK(txn->Commit());
    return ino;
  }
  // Runs `deed` on the inode and commits.
  void Change(Ino ino, const std::function<Status(Txn&, Inode&)>& deed) {
    auto txn = Begin();
    Inode inode = txn->GetInode(ino).value().value();
    ASSERT_OK(deed(*txn, inode));
    txn->PutInode(inode);
    ASSERT_OK(txn->Commit());
  }
  void Write(Ino ino, uint64_t offset, const std::string& data) {
    Change(ino, [&](Txn& txn, Inode& i) { return txn.WriteData(i, offset, Bytes::Copy(data)); });
  }
  void SetSize(Ino ino, uint64_t size) {
    Change(ino, [&](Txn& txn, Inode& i) { return txn.SetSize(i, size); });
  }
  void MakeOrphan(Ino ino) {
    Change(ino, [&](Txn& txn, Inode& i) {
      i.attr.nlink = 0;
      txn.PutOrphan(i.attr.ino);
      return Ok();
    });
  }
  Inode Get(Ino ino) { return Begin()->GetInode(ino).value().value(); }
  std::string Read(Ino ino, uint64_t offset, size_t n) {
    auto txn = Begin();
    const Inode inode = txn->GetInode(ino).value().value();
    return txn->ReadData(inode, offset, n).value().ToString();
  }

  TestClock clock;

 private:
  EngineBox engine_;
  std::unique_ptr<Store> store_;
};

}  // namespace tarn::store
