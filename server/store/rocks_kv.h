// Kv on RocksDB: one directory is one database, with a column family for each Family. No header of
// RocksDB is seen from here.
//
// Durability: every write goes through the write-ahead log. After the death of the process the log
// is replayed up to its first gap; what SyncWal covered is before any gap.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "common/result.h"
#include "server/store/kv.h"

namespace rocksdb {
class Env;
}

namespace tarn::store {

// File contents are refused with ENOSPC where the disk has less left than write_buffer_bytes and
// wal_bytes together: that much may be needed to go on deleting.
struct RocksKvOptions {
  size_t block_cache_bytes = size_t{512} << 20;   // what reads without the disk are served from
  size_t write_buffer_bytes = size_t{256} << 20;  // changes not yet in tables
  size_t wal_bytes = size_t{256} << 20;           // log to replay after a crash, for each database
  int max_open_files = 768;                       // for each database
  rocksdb::Env* env = nullptr;                    // the disk; null: the machine's
};

// The memory that the databases of one process share.
// Thread safety: safe. Lifetime: shared by the databases and by the values read from them.
struct RocksMemory;
std::shared_ptr<RocksMemory> MakeRocksMemory(const RocksKvOptions& options);

// Opens the database in `dir`, or with `create` makes one there if there is none; the directory
// above must exist. Errors: ENOENT (none there and not `create`), EBUSY (open in another process,
// or in this), EACCES, ENOSPC, EIO (corrupt or unreadable).
Result<std::unique_ptr<Kv>> OpenRocksKv(const std::string& dir, bool create,
                                        std::shared_ptr<RocksMemory> memory);

// Opens it as it is, with what its log holds in memory: nothing on disk changes, and nothing can be
// written. Nobody else can open it meanwhile. Errors: as OpenRocksKv.
Result<std::unique_ptr<Kv>> OpenRocksKvReadOnly(const std::string& dir,
                                                std::shared_ptr<RocksMemory> memory);

}  // namespace tarn::store
