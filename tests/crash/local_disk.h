// A file system in this process on a bad disk (support/bad_disk.h), as the tests of this folder
// that need no real processes have it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "common/clock.h"
#include "server/ops/local_fs.h"
#include "server/store/rocks_kv.h"
#include "server/store/store.h"
#include "tests/support/bad_disk.h"
#include "tests/support/expect.h"
#include "tests/support/fs_subject.h"
#include "tests/support/witness_kv.h"

namespace tarn::testing {

inline bool LongForm() { return std::getenv("TARN_TEST_LONG") != nullptr; }
inline unsigned ChosenSeed() {
  const char* text = std::getenv("TARN_TEST_SEED");
  const unsigned seed = text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10))
                                        : std::random_device()();
  std::printf("TARN_TEST_SEED=%u\n", seed);
  return seed;
}

// An engine on the disk. Errors: as OpenRocksKv.
inline Result<std::shared_ptr<store::Kv>> OpenOn(const std::shared_ptr<BadDisk>& disk,
                                                 bool create) {
  struct Opened {  // in the order in which they may go
    std::unique_ptr<rocksdb::Env> env;
    std::unique_ptr<store::Kv> kv;
  };
  auto opened = std::make_shared<Opened>();
  opened->env = rocksdb::NewCompositeEnv(disk);
  store::RocksKvOptions options;
  options.block_cache_bytes = size_t{8} << 20;
  options.write_buffer_bytes = size_t{4} << 20;
  options.wal_bytes = size_t{4} << 20;
  options.max_open_files = 64;
  options.env = opened->env.get();
  ASSIGN_OR_RETURN(opened->kv, store::OpenRocksKv("/db", create, store::MakeRocksMemory(options)));
  store::Kv* kv = opened->kv.get();
  return std::shared_ptr<store::Kv>(std::move(opened), kv);
}

// A LocalFs on an engine, with one process of root on it.
class LocalStage {
 public:
  explicit LocalStage(std::unique_ptr<store::Kv> kv) {
    auto opened = store::Store::Open(std::move(kv), SystemClock(), true, "test");
    EXPECT_OK(opened);
    subject_ = std::make_unique<FileSystemSubject>([&] {
      std::shared_ptr<ops::LocalFs> fs =
          ops::LocalFs::Make(std::move(opened).value(), SystemClock(), {});
      fs_ = fs.get();
      return FileSystemSubject::Target{fs_, fs->MakeHandle(kRootIno, 0), {1, 1}, std::move(fs)};
    });
    root_ = subject_->Start(kRoot);
  }
  ops::LocalFs& fs() { return *fs_; }
  Subject& subject() { return *subject_; }
  Process& root() { return *root_; }
  Status Sync() {
    Notification ready;
    Status answer = Ok();
    fs_->store().Sync([&](Status status) {
      answer = std::move(status);
      ready.Notify();
    });
    ready.WaitForNotification();
    return answer;
  }

 private:
  ops::LocalFs* fs_ = nullptr;
  std::unique_ptr<FileSystemSubject> subject_;
  std::unique_ptr<Process> root_;
};

}  // namespace tarn::testing
