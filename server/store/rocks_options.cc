#include "server/store/rocks_options.h"

#include <endian.h>
#include <fmt/format.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/table.h>

#include <atomic>
#include <cstring>

#include "common/log.h"
#include "server/store/keys.h"

namespace tarn::store {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

// Sums little-endian int64 values. Its name is on disk.
class CounterMerge : public rocksdb::AssociativeMergeOperator {
 public:
  bool Merge(const rocksdb::Slice&, const rocksdb::Slice* existing, const rocksdb::Slice& value,
             std::string* out, rocksdb::Logger*) const override {
    std::optional<int64_t> sum = existing ? ReadLe64(existing->ToStringView()) : 0;
    std::optional<int64_t> delta = ReadLe64(value.ToStringView());
    if (!sum || !delta) return false;  // corrupt; RocksDB reports it as such
    const uint64_t total = htole64(static_cast<uint64_t>(*sum) + static_cast<uint64_t>(*delta));
    out->assign(reinterpret_cast<const char*>(&total), sizeof(total));
    return true;
  }
  const char* Name() const override { return "tarn.counter"; }
};

class SilentLogger : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// A table that cannot be compacted because a bit of it flipped concerns those who read it. RocksDB
// would refuse all writes from then on.
class DamageListener : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    if (reason != rocksdb::BackgroundErrorReason::kCompaction || !error->IsCorruption()) return;
    if (!told_.exchange(true)) {
      LogError("found damage on disk while rewriting tables; stop tarnd and run tarnd fsck: {}",
               error->ToString());
    }
    *error = rocksdb::Status::OK();
  }

 private:
  std::atomic<bool> told_{false};
};

rocksdb::BlockBasedTableOptions TableOptions(const RocksMemory& memory, Family f) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.cache;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Indexes and filters count against the cache too, so that it bounds the memory whatever is
  // stored; they go last.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.block_size = f == Family::kBlock ? 16 * 1024 : 4 * 1024;
  if (f == Family::kBlock) {
    // Hundreds of KiB of index a table: read and kept in parts.
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.partition_filters = true;
    table.pin_top_level_index_and_filter = true;
  } else {
    // A record just changed is likely read next: a flush must not send that read to the disk.
    table.prepopulate_block_cache =
        rocksdb::BlockBasedTableOptions::PrepopulateBlockCache::kFlushOnly;
  }
  return table;
}

}  // namespace

std::shared_ptr<RocksMemory> MakeRocksMemory(const RocksKvOptions& options) {
  auto memory = std::make_shared<RocksMemory>();
  memory->options = options;
  memory->cache = rocksdb::NewLRUCache(options.block_cache_bytes, /*num_shard_bits=*/-1,
                                       /*strict_capacity_limit=*/false,
                                       /*high_pri_pool_ratio=*/0.3);
  memory->write_buffers =
      std::make_shared<rocksdb::WriteBufferManager>(options.write_buffer_bytes);
  return memory;
}

std::string FamilyName(Family f) {
  switch (f) {
    case Family::kInode: return "inode";
    case Family::kDentry: return "dentry";
    case Family::kXattr: return "xattr";
    case Family::kBlock: return "block";
    case Family::kOrphan: return "orphan";
    case Family::kSession: return "session";
    case Family::kSuper: return "super";
  }
  return {};
}

rocksdb::DBOptions DatabaseOptions(const RocksMemory& memory, bool create) {
  rocksdb::DBOptions db;
  if (memory.options.env != nullptr) db.env = memory.options.env;
  db.create_if_missing = create;
  db.create_missing_column_families = create;
  db.max_open_files = memory.options.max_open_files;
  db.max_background_jobs = 2;
  db.write_buffer_manager = memory.write_buffers;
  // Families that change rarely would else keep the log of all others alive.
  db.max_total_wal_size = memory.options.wal_bytes;
  // Written back as it grows, so that a sync finds little left to write.
  db.wal_bytes_per_sync = kMiB;
  db.bytes_per_sync = kMiB;
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.paranoid_checks = true;
  db.listeners.push_back(std::make_shared<DamageListener>());
  // The kernel may read ahead: a file read in order lies in order in the tables.
  db.advise_random_on_open = false;
  db.max_manifest_file_size = 64 * kMiB;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  // Its own log: at most four files of 8 MiB.
  db.keep_log_file_num = 4;
  db.max_log_file_size = 8 * kMiB;
  return db;
}

rocksdb::DBOptions ReadOnlyOptions(const RocksMemory& memory) {
  rocksdb::DBOptions db = DatabaseOptions(memory, /*create=*/false);
  db.info_log = std::make_shared<SilentLogger>();
  return db;
}

rocksdb::ColumnFamilyOptions FamilyOptions(const RocksMemory& memory, Family f) {
  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(memory, f)));
  family.level_compaction_dynamic_level_bytes = true;
  family.write_buffer_size = f == Family::kBlock ? 64 * kMiB : 16 * kMiB;
  family.max_write_buffer_number = f == Family::kBlock ? 4 : 2;
  if (f == Family::kBlock) {
    // Contents rarely shrink, and uncompressed blocks are read without a copy.
    family.compression = rocksdb::kNoCompression;
    family.target_file_size_base = 128 * kMiB;
    family.max_bytes_for_level_base = 512 * kMiB;
  } else {
    family.compression = rocksdb::kLZ4Compression;
  }
  if (f == Family::kSuper) family.merge_operator = std::make_shared<CounterMerge>();
  return family;
}

Error ToError(const rocksdb::Status& status, std::string_view doing) {
  std::string message = fmt::format("{}: {}", doing, status.ToString());
  if (status.IsIncomplete()) return {Errno::kBlocked, std::move(message)};
  if (status.IsNoSpace()) return {Errno::kENOSPC, std::move(message)};
  if (status.IsBusy() || status.IsTryAgain()) return {Errno::kEBUSY, std::move(message)};
  if (status.IsTimedOut()) return {Errno::kETIMEDOUT, std::move(message)};
  return {Errno::kEIO, std::move(message)};
}

Error ToOpenError(const rocksdb::Status& status, const std::string& dir) {
  // RocksDB has no codes for these; the texts are strerror's and its own.
  const std::string text = status.ToString();
  auto says = [&text](std::string_view part) { return text.find(part) != std::string::npos; };
  if (says("lock hold by current process") ||
      (says("LOCK") && says("Resource temporarily unavailable"))) {
    return {Errno::kEBUSY,
            fmt::format("{} is in use: another tarnd has it open. Stop that one first, or give "
                        "this one another directory.", dir)};
  }
  if (says("Permission denied") || says("Operation not permitted")) {
    return {Errno::kEACCES,
            fmt::format("No permission to read and write {}. Run as its owner, or change its "
                        "owner. ({})", dir, text)};
  }
  if (says("does not exist")) {
    return {Errno::kENOENT, fmt::format("There is no database in {}. ({})", dir, text)};
  }
  if (status.IsCorruption()) {
    return {Errno::kEIO,
            fmt::format("The database in {} is corrupt. Keep the directory for examination, and "
                        "restore a backup into another one. ({})", dir, text)};
  }
  return ToError(status, fmt::format("cannot open the database in {}", dir));
}

}  // namespace tarn::store
