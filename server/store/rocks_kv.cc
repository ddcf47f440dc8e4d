#include "server/store/rocks_kv.h"

#include <endian.h>
#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/transaction_log.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "server/store/reserve.h"
#include "server/store/rocks_options.h"
#include "server/store/rocks_wal.h"

namespace tarn::store {
namespace {

using rocksdb::PinnableSlice;
using rocksdb::Slice;

constexpr uint64_t kLogWorthShortening = uint64_t{16} << 20;

rocksdb::ReadOptions ReadOptionsOf(Tier tier) {
  rocksdb::ReadOptions options;
  options.read_tier =
      tier == Tier::kMemoryOnly ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
  options.fill_cache = tier != Tier::kScan;
  return options;
}

// Keeps values where RocksDB has them. The cache outlives them: their release goes to it, even
// after the database is closed.
struct Pinned {
  std::shared_ptr<RocksMemory> memory;
  std::vector<PinnableSlice> values;
};

// Only contents are deleted by range. Where RocksDB 7.8 looks out for deleted ranges, a walk that
// comes to a new table whose first block cannot be had (it is damaged, or not in memory) leaves
// that table out, and says that all is well.
bool HasDeletedRanges(Family f) { return f == Family::kBlock; }

// Of a walk that cannot be made without the disk.
class BlockedIterator : public KvIterator {
 public:
  void Seek(std::string_view) override {}
  bool Valid() const override { return false; }
  void Next() override {}
  std::string_view key() const override { return {}; }
  std::string_view value() const override { return {}; }
  Status status() const override { return Errno::kBlocked; }
};

class RocksIterator : public KvIterator {
 public:
  RocksIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, bool has_deleted_ranges,
                std::string lower, std::string upper, Tier tier)
      : lower_(std::move(lower)), upper_(std::move(upper)), lower_slice_(lower_),
        upper_slice_(upper_) {
    rocksdb::ReadOptions options = ReadOptionsOf(tier);
    options.ignore_range_deletions = !has_deleted_ranges;
    options.iterate_lower_bound = &lower_slice_;
    if (!upper_.empty()) options.iterate_upper_bound = &upper_slice_;
    it_.reset(db.NewIterator(options, family));
  }
  void Seek(std::string_view key) override { it_->Seek(Slice(key.data(), key.size())); }
  bool Valid() const override { return it_->Valid(); }
  void Next() override { it_->Next(); }
  std::string_view key() const override { return it_->key().ToStringView(); }
  std::string_view value() const override { return it_->value().ToStringView(); }
  Status status() const override {
    rocksdb::Status status = it_->status();
    if (status.ok()) return Ok();
    return ToError(status, "walk");
  }

 private:
  const std::string lower_, upper_;
  const Slice lower_slice_, upper_slice_;  // RocksDB keeps pointers to them
  std::unique_ptr<rocksdb::Iterator> it_;
};

// Copies our batch into RocksDB's: the only copy of the bytes before the log's and the table's.
class BatchBuilder {
 public:
  BatchBuilder(const Batch& batch, const std::array<rocksdb::ColumnFamilyHandle*, kFamilies>& cfs)
      : cfs_(cfs), out_(SizeOf(batch)) {
    for (const Batch::Op& op : batch.ops()) {
      if (status_.ok()) status_ = Append(op);
    }
  }
  const rocksdb::Status& status() const { return status_; }
  rocksdb::WriteBatch& batch() { return out_; }

 private:
  static size_t SizeOf(const Batch& batch) {
    size_t size = 64;
    for (const Batch::Op& op : batch.ops()) {
      size += 32 + op.key.size() + op.limit.size() + op.value.size();
    }
    return size;
  }

  rocksdb::Status Append(const Batch::Op& op) {
    rocksdb::ColumnFamilyHandle* family = cfs_[static_cast<size_t>(op.family)];
    switch (op.kind) {
      case Batch::Op::Kind::kPut: {
        const Slice key(op.key);
        parts_.clear();
        for (const ByteSlice& slice : op.value.slices()) {
          parts_.emplace_back(slice.view.data(), slice.view.size());
        }
        return out_.Put(family, rocksdb::SliceParts(&key, 1),
                        rocksdb::SliceParts(parts_.data(), static_cast<int>(parts_.size())));
      }
      case Batch::Op::Kind::kDelete:
        return out_.Delete(family, op.key);
      case Batch::Op::Kind::kDeleteRange:
        return out_.DeleteRange(family, op.key, op.limit);
      case Batch::Op::Kind::kAdd: {
        const uint64_t delta = htole64(static_cast<uint64_t>(op.delta));
        return out_.Merge(family, op.key,
                          Slice(reinterpret_cast<const char*>(&delta), sizeof(delta)));
      }
    }
    return rocksdb::Status::InvalidArgument("unknown kind of change");
  }

  const std::array<rocksdb::ColumnFamilyHandle*, kFamilies>& cfs_;
  rocksdb::WriteBatch out_;
  std::vector<Slice> parts_;
  rocksdb::Status status_;
};

uint64_t ContentBytes(const Batch& batch) {
  uint64_t bytes = 0;
  for (const Batch::Op& op : batch.ops()) {
    if (op.family == Family::kBlock) bytes += op.value.size();
  }
  return bytes;
}

struct LockReleaser {
  rocksdb::Env* env = nullptr;
  void operator()(rocksdb::FileLock* lock) const { env->UnlockFile(lock).PermitUncheckedError(); }
};
using DirectoryLock = std::unique_ptr<rocksdb::FileLock, LockReleaser>;

// Thread safety: safe, as rocksdb::DB is.
class RocksKv : public Kv {
 public:
  RocksKv(std::unique_ptr<rocksdb::DB> db, rocksdb::ColumnFamilyHandle* unused,
          std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families,
          std::shared_ptr<RocksMemory> memory, DirectoryLock lock,
          std::unique_ptr<SyncReach> reach)
      : lock_(std::move(lock)),
        db_(std::move(db)),
        unused_(unused),
        families_(families),
        memory_(std::move(memory)),
        // What the tables of all that is still in memory, and the log, may yet need.
        reserve_(db_->GetName(), memory_->options.write_buffer_bytes + memory_->options.wal_bytes),
        reach_(std::move(reach)) {
  }

  ~RocksKv() override {
    // Compactions go on at the next start; a stop does not wait for their end.
    rocksdb::CancelAllBackgroundWork(db_.get(), /*wait=*/true);
    for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
    db_->DestroyColumnFamilyHandle(unused_);
    db_->Close().PermitUncheckedError();
  }

  Result<std::optional<ByteSlice>> Get(Family f, std::string_view key, Tier tier) override {
    auto pinned = std::make_shared<Pinned>();
    pinned->memory = memory_;
    PinnableSlice& value = pinned->values.emplace_back();
    rocksdb::Status status =
        db_->Get(ReadOptionsOf(tier), family(f), Slice(key.data(), key.size()), &value);
    if (status.IsNotFound()) return std::optional<ByteSlice>();
    if (!status.ok()) return ToError(status, "read");
    // So says RocksDB as well where it would have to open a table to know.
    if (tier == Tier::kMemoryOnly && value.empty()) return Errno::kBlocked;
    return std::optional<ByteSlice>(ByteSlice{value.ToStringView(), std::move(pinned)});
  }

  Result<std::vector<std::optional<ByteSlice>>> GetMany(Family f,
                                                        const std::vector<std::string>& keys,
                                                        Tier tier) override {
    std::vector<std::optional<ByteSlice>> out(keys.size());
    if (tier == Tier::kMemoryOnly) {  // MultiGet of RocksDB 7.8 reads the disk in spite of the tier
      for (size_t i = 0; i < keys.size(); ++i) {
        ASSIGN_OR_RETURN(out[i], Get(f, keys[i], tier));
      }
      return out;
    }
    auto pinned = std::make_shared<Pinned>();
    pinned->memory = memory_;
    pinned->values.resize(keys.size());
    const std::vector<Slice> slices(keys.begin(), keys.end());
    std::vector<rocksdb::Status> statuses(keys.size());
    db_->MultiGet(ReadOptionsOf(tier), family(f), keys.size(), slices.data(),
                  pinned->values.data(), statuses.data(), /*sorted_input=*/true);
    for (size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].IsNotFound()) continue;
      if (!statuses[i].ok()) return ToError(statuses[i], "read");
      out[i] = ByteSlice{pinned->values[i].ToStringView(), pinned};
    }
    return out;
  }

  std::unique_ptr<KvIterator> Iterate(Family f, std::string lower, std::string upper,
                                      Tier tier) override {
    const bool ranges = HasDeletedRanges(f);
    if (ranges && tier == Tier::kMemoryOnly) return std::make_unique<BlockedIterator>();
    return std::make_unique<RocksIterator>(*db_, family(f), ranges, std::move(lower),
                                           std::move(upper), tier);
  }

  Status Write(const Batch& batch, Tier tier) override {
    RETURN_IF_ERROR(reserve_.Take(ContentBytes(batch)));
    BatchBuilder builder(batch, families_);
    if (!builder.status().ok()) return ToError(builder.status(), "write");
    rocksdb::WriteOptions options;
    options.no_slowdown = tier == Tier::kMemoryOnly;
    return Check(db_->Write(options, &builder.batch()), "write");
  }

  Status SyncWal() override {
    const rocksdb::SequenceNumber reached = db_->GetLatestSequenceNumber();
    RETURN_IF_ERROR(Check(db_->SyncWAL(), "sync the log"));
    if (reach_ != nullptr) reach_->Note(reached);
    return Ok();
  }

  // Whole files first, then a tombstone for what is left. A tombstone among the files dropped
  // would bring the leftovers below it back to life.
  Status Destroy(Family f, std::string_view first, std::string_view limit) override {
    const Slice begin(first.data(), first.size()), end(limit.data(), limit.size());
    const rocksdb::RangePtr range(&begin, &end);
    RETURN_IF_ERROR(Check(rocksdb::DeleteFilesInRanges(db_.get(), family(f), &range, 1,
                                                       /*include_end=*/false),
                          "drop files"));
    RETURN_IF_ERROR(
        Check(db_->DeleteRange(rocksdb::WriteOptions(), family(f), begin, end), "delete a range"));
    return CompactAll(f, begin, end);
  }

  Status Compact(Family f, std::string_view first, std::string_view limit,
                 uint64_t freed) override {
    const Slice begin(first.data(), first.size()), end(limit.data(), limit.size());
    const rocksdb::Range range(begin, end);
    rocksdb::SizeApproximationOptions options;
    options.include_memtables = true;
    uint64_t stored = 0;
    RETURN_IF_ERROR(Check(db_->GetApproximateSizes(options, family(f), &range, 1, &stored),
                          "measure a range"));
    if (stored / 4 > freed) return Ok();
    return CompactAll(f, begin, end);
  }

 private:
  rocksdb::ColumnFamilyHandle* family(Family f) const {
    return families_[static_cast<size_t>(f)];
  }

  Status CompactAll(Family f, const Slice& begin, const Slice& end) {
    rocksdb::CompactRangeOptions options;
    options.exclusive_manual_compaction = false;
    RETURN_IF_ERROR(Check(db_->CompactRange(options, family(f), &begin, &end), "compact"));
    return ShortenLog();
  }

  // What was deleted is still in the log as long as a family has changes there that are in no
  // table yet; families that change little can keep hundreds of megabytes alive.
  Status ShortenLog() {
    rocksdb::VectorLogPtr logs;
    RETURN_IF_ERROR(Check(db_->GetSortedWalFiles(logs), "list the log"));
    uint64_t bytes = 0;
    for (const auto& log : logs) bytes += log->SizeFileBytes();
    if (bytes < kLogWorthShortening) return Ok();
    const std::vector<rocksdb::ColumnFamilyHandle*> all(families_.begin(), families_.end());
    return Check(db_->Flush(rocksdb::FlushOptions(), all), "flush");
  }

  static Status Check(const rocksdb::Status& status, std::string_view doing) {
    if (status.ok()) return Ok();
    return ToError(status, doing);
  }

  const DirectoryLock lock_;  // where RocksDB holds none itself
  const std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* const unused_;  // "default", which RocksDB insists on
  const std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families_;
  const std::shared_ptr<RocksMemory> memory_;
  DiskReserve reserve_;
  const std::unique_ptr<SyncReach> reach_;  // null: nothing is written
};

}  // namespace

namespace {

std::vector<rocksdb::ColumnFamilyDescriptor> Descriptors(const RocksMemory& memory) {
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  for (int f = 0; f < kFamilies; ++f) {
    const auto family = static_cast<Family>(f);
    descriptors.emplace_back(FamilyName(family), FamilyOptions(memory, family));
  }
  return descriptors;
}

std::unique_ptr<Kv> MakeKv(rocksdb::DB* db,
                           const std::vector<rocksdb::ColumnFamilyHandle*>& handles,
                           std::shared_ptr<RocksMemory> memory, DirectoryLock lock,
                           std::unique_ptr<SyncReach> reach) {
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families;
  std::copy(handles.begin() + 1, handles.end(), families.begin());
  return std::make_unique<RocksKv>(std::unique_ptr<rocksdb::DB>(db), handles[0], families,
                                   std::move(memory), std::move(lock), std::move(reach));
}

}  // namespace

Result<std::unique_ptr<Kv>> OpenRocksKv(const std::string& dir, bool create,
                                        std::shared_ptr<RocksMemory> memory) {
  const rocksdb::DBOptions options = DatabaseOptions(*memory, create);
  // Opening in earnest forgets what is behind a damage.
  RETURN_IF_ERROR(CheckLog(ReadOnlyOptions(*memory), dir));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, dir, Descriptors(*memory), &handles, &db);
  if (!status.ok()) return ToOpenError(status, dir);
  auto reach = std::make_unique<SyncReach>(*options.env, dir);
  return MakeKv(db, handles, std::move(memory), {}, std::move(reach));
}

Result<std::unique_ptr<Kv>> OpenRocksKvReadOnly(const std::string& dir,
                                                std::shared_ptr<RocksMemory> memory) {
  const rocksdb::DBOptions options = ReadOnlyOptions(*memory);
  // RocksDB takes no lock for reading, and taking one would make a file in any directory.
  rocksdb::Status status = options.env->FileExists(dir + "/CURRENT");
  if (status.IsNotFound()) {
    return Error(Errno::kENOENT, fmt::format("There is no database in {}.", dir));
  }
  rocksdb::FileLock* lock = nullptr;
  if (status.ok()) status = options.env->LockFile(dir + "/LOCK", &lock);
  if (!status.ok()) return ToOpenError(status, dir);
  DirectoryLock held(lock, LockReleaser{options.env});
  RETURN_IF_ERROR(CheckLog(options, dir));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  status = rocksdb::DB::OpenForReadOnly(options, dir, Descriptors(*memory), &handles, &db);
  if (!status.ok()) return ToOpenError(status, dir);
  return MakeKv(db, handles, std::move(memory), std::move(held), nullptr);
}

}  // namespace tarn::store
