// How far syncs of a database's log have reached, kept beside it. Private to the Kv on RocksDB.
//
// RocksDB replays a log up to the first record that it cannot read. Behind a loss of power that is
// right: what follows was never synced. Behind a flipped bit it is not, and looks the same. So
// after each sync its reach goes into the file SYNCED of the directory (the number of the last
// change, and the same inverted). That file is never synced itself: it may claim less than is true,
// but not more.
// Thread safety: safe. Lifetime: not beyond the Env.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <cstdint>
#include <memory>
#include <string>

#include "common/result.h"
#include "common/sync.h"

namespace tarn::store {

class SyncReach {
 public:
  // Failures are kept to itself: the file is a help, no more.
  SyncReach(rocksdb::Env& env, const std::string& dir);

  // Everything up to the change `sequence` is durable.
  void Note(rocksdb::SequenceNumber sequence);

 private:
  Mutex mu_;
  std::unique_ptr<rocksdb::RandomRWFile> file_ ABSL_GUARDED_BY(mu_);
  rocksdb::SequenceNumber noted_ ABSL_GUARDED_BY(mu_) = 0;
};

// EIO if the log of the database in `dir` cannot be replayed as far as it was synced. `options` as
// for reading it. Reads the log once, and changes nothing.
Status CheckLog(const rocksdb::DBOptions& options, const std::string& dir);

}  // namespace tarn::store
