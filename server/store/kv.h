// The ordered key-value engine under a store: RocksDB in production (rocks_kv.h, the only folder
// that includes it), a map in tests (tests/support/mem_kv.h).
//
// Durability: a written batch survives the death of the process; after SyncWal returns, everything
// written before the call survives power loss. A batch is atomic in both.
// Thread safety: Kv is safe; batches and iterators belong to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/result.h"

namespace tarn::store {

// Column families. Their names are on disk: never rename.
enum class Family : uint8_t { kInode, kDentry, kXattr, kBlock, kOrphan, kSession, kSuper };
inline constexpr int kFamilies = 7;

// Whether an operation may wait for the disk. kMemoryOnly: what is not in memory (or a write that
// would stall) fails with kBlocked, and the driver runs the request again elsewhere with kMayBlock.
// kScan: as kMayBlock, for a look at everything: what is read is not kept in memory.
enum class Tier : uint8_t { kMemoryOnly, kMayBlock, kScan };

// Changes that take effect together.
class Batch {
 public:
  struct Op {
    enum class Kind : uint8_t { kPut, kDelete, kDeleteRange, kAdd } kind;
    Family family;
    std::string key;    // kDeleteRange: first
    Bytes value;        // kPut
    std::string limit;  // kDeleteRange: first key not deleted
    int64_t delta = 0;  // kAdd: added to a little-endian int64 value, absent counts as 0
  };
  void Put(Family f, std::string key, Bytes value);
  void Delete(Family f, std::string key);
  // REQUIRES: kBlock, of which alone the engine expects deleted ranges. So does Kv::Destroy.
  void DeleteRange(Family f, std::string first, std::string limit);
  void Add(Family f, std::string key, int64_t delta);
  const std::vector<Op>& ops() const { return ops_; }
  bool empty() const { return ops_.empty(); }

 private:
  std::vector<Op> ops_;
};

class KvIterator {
 public:
  virtual ~KvIterator() = default;
  virtual void Seek(std::string_view key) = 0;
  virtual bool Valid() const = 0;  // false at the end and on error: look at status()
  virtual void Next() = 0;
  virtual std::string_view key() const = 0;    // until the next move
  virtual std::string_view value() const = 0;  // until the next move
  virtual Status status() const = 0;           // kBlocked, EIO
};

class Kv {
 public:
  virtual ~Kv() = default;
  // The value, pinned rather than copied where the engine can; nullopt: no such key.
  // Errors: kBlocked (kMemoryOnly), EIO.
  virtual Result<std::optional<ByteSlice>> Get(Family f, std::string_view key, Tier tier) = 0;
  // As Get for each of `keys` (ascending), with neighbours on disk read together.
  virtual Result<std::vector<std::optional<ByteSlice>>> GetMany(
      Family f, const std::vector<std::string>& keys, Tier tier) = 0;
  // Over keys in [lower, upper) as they are now; `upper` empty: to the end. Of kBlock with
  // kMemoryOnly it may be kBlocked whatever is in memory.
  virtual std::unique_ptr<KvIterator> Iterate(Family f, std::string lower, std::string upper,
                                              Tier tier) = 0;
  // Errors: kBlocked (would stall; nothing written), ENOSPC, EIO.
  virtual Status Write(const Batch& batch, Tier tier) = 0;
  // Waits for the disk. Errors: EIO, ENOSPC.
  virtual Status SyncWal() = 0;
  // Deletes every key in [first, limit) and gives the space back to the disk; the cheap way out for
  // big ranges. Not atomic: repeated after a crash. May be slow. REQUIRES: nobody reads or writes
  // in the range now or ever again.
  virtual Status Destroy(Family f, std::string_view first, std::string_view limit) = 0;
  // Gives back the space of about `freed` bytes deleted in [first, limit), unless what lives there
  // is so much more that rewriting it is not worth that. May be slow.
  virtual Status Compact(Family f, std::string_view first, std::string_view limit,
                         uint64_t freed) = 0;
};

}  // namespace tarn::store
