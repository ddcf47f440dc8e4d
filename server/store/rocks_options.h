// How RocksDB is set up, and what its verdicts mean. Private to the Kv on RocksDB.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/options.h>
#include <rocksdb/status.h>
#include <rocksdb/write_buffer_manager.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"
#include "server/store/kv.h"
#include "server/store/rocks_kv.h"

namespace tarn::store {

struct RocksMemory {
  RocksKvOptions options;
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
};

// On disk: never rename.
std::string FamilyName(Family f);
rocksdb::DBOptions DatabaseOptions(const RocksMemory& memory, bool create);
// For looks at a database that change nothing on disk, not even its log of events.
rocksdb::DBOptions ReadOnlyOptions(const RocksMemory& memory);
rocksdb::ColumnFamilyOptions FamilyOptions(const RocksMemory& memory, Family f);

// The one translation of RocksDB's statuses. REQUIRES: !status.ok().
Error ToError(const rocksdb::Status& status, std::string_view doing);
// The same for a database that does not open, with what to do about it.
Error ToOpenError(const rocksdb::Status& status, const std::string& dir);

}  // namespace tarn::store
