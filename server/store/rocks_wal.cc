#include "server/store/rocks_wal.h"

#include <endian.h>
#include <fmt/format.h>
#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "server/store/keys.h"
#include "server/store/rocks_options.h"

namespace tarn::store {
namespace {

std::string FileIn(const std::string& dir) { return dir + "/SYNCED"; }

std::string Encode(uint64_t sequence) { return Be64(sequence) + Be64(~sequence); }

// 0: nothing is known.
uint64_t ReadReach(rocksdb::Env& env, const std::string& dir) {
  std::string text;
  if (!rocksdb::ReadFileToString(&env, FileIn(dir), &text).ok() || text.size() != 16) return 0;
  const uint64_t sequence = *ReadBe64(text.substr(0, 8));
  return text == Encode(sequence) ? sequence : 0;
}

// Looks at every record, and lets none take effect.
class LastChange : public rocksdb::WalFilter {
 public:
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&,  // NOLINT: RocksDB's
                                     const rocksdb::WriteBatch& batch, rocksdb::WriteBatch*,
                                     bool*) override {
    uint64_t first = 0;  // a batch begins with its number, little-endian
    std::memcpy(&first, batch.Data().data(), sizeof(first));
    last = std::max(last, le64toh(first) + batch.Count() - 1);
    return WalProcessingOption::kIgnoreCurrentRecord;
  }
  const char* Name() const override { return "tarn.last"; }
  uint64_t last = 0;
};

}  // namespace

SyncReach::SyncReach(rocksdb::Env& env, const std::string& dir) {
  MutexLock lock(&mu_);
  if (ReadReach(env, dir) == 0) {
    const std::string nothing(16, '\0');
    if (!rocksdb::WriteStringToFile(&env, nothing, FileIn(dir)).ok()) return;
  }
  env.NewRandomRWFile(FileIn(dir), &file_, rocksdb::EnvOptions()).PermitUncheckedError();
}

void SyncReach::Note(rocksdb::SequenceNumber sequence) {
  MutexLock lock(&mu_);
  if (file_ == nullptr || sequence <= noted_) return;
  noted_ = sequence;
  file_->Write(0, Encode(sequence)).PermitUncheckedError();
}

Status CheckLog(const rocksdb::DBOptions& options, const std::string& dir) {
  const uint64_t synced = ReadReach(*options.env, dir);
  if (synced == 0) return Ok();
  LastChange filter;
  rocksdb::DBOptions reading = options;
  reading.wal_filter = &filter;
  reading.listeners.clear();
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  for (int f = 0; f < kFamilies; ++f) {
    families.emplace_back(FamilyName(static_cast<Family>(f)), rocksdb::ColumnFamilyOptions());
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(reading, dir, families, &handles, &opened);
  if (!status.ok()) return Ok();  // whoever opens it in earnest will say why
  const std::unique_ptr<rocksdb::DB> db(opened);
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  const uint64_t replayed = std::max(filter.last, db->GetLatestSequenceNumber());
  if (replayed >= synced) return Ok();
  return Error(Errno::kEIO,
               fmt::format("The log in {} is damaged: {} changes that were synced are behind the "
                           "damage. Keep the directory for examination, and restore a backup into "
                           "another one; or, to go on without them, remove {}.",
                           dir, synced - replayed, FileIn(dir)));
}

}  // namespace tarn::store
