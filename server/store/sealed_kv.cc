#include "server/store/sealed_kv.h"

#include <endian.h>
#include <fmt/format.h>
#define XXH_INLINE_ALL  // nothing to link with
#include <xxhash.h>

#include <cstring>
#include <utility>

#include "server/store/keys.h"

namespace tarn::store {
namespace {

// Depends on every byte of the family, the key and the value. On disk: never change it.
class Checksum {
 public:
  Checksum(Family f, std::string_view key) {
    const XXH64_hash_t seed = XXH3_64bits_withSeed(key.data(), key.size(),
                                                   static_cast<XXH64_hash_t>(f));
    // A state on the stack that happens to hold this seed, from before, would be taken for one
    // whose secret was made from it, though that may be overwritten: so it is made to hold none.
    XXH3_INITSTATE(&state_);
    XXH3_64bits_reset_withSeed(&state_, seed);
  }
  void Add(std::string_view bytes) { XXH3_64bits_update(&state_, bytes.data(), bytes.size()); }
  uint64_t Get() { return htole64(XXH3_64bits_digest(&state_)); }  // as it is stored

 private:
  XXH3_state_t state_;
};

class SealedIterator : public KvIterator {
 public:
  SealedIterator(std::unique_ptr<KvIterator> below, Family f)
      : below_(std::move(below)), family_(f) {}
  void Seek(std::string_view key) override {
    below_->Seek(key);
    Look();
  }
  void Next() override {
    below_->Next();
    Look();
  }
  bool Valid() const override { return below_->Valid() && seal_.ok(); }
  std::string_view key() const override { return below_->key(); }
  std::string_view value() const override { return value_; }
  Status status() const override {
    RETURN_IF_ERROR(below_->status());
    return seal_;
  }

 private:
  void Look() {
    seal_ = Ok();
    if (!below_->Valid()) return;
    auto value = Unseal(family_, below_->key(), below_->value());
    if (value.ok()) {
      value_ = *value;
    } else {
      seal_ = value.error();
    }
  }

  const std::unique_ptr<KvIterator> below_;
  const Family family_;
  std::string_view value_;
  Status seal_ = Ok();
};

class SealedKv : public Kv {
 public:
  explicit SealedKv(std::unique_ptr<Kv> below) : below_(std::move(below)) {}

  Result<std::optional<ByteSlice>> Get(Family f, std::string_view key, Tier tier) override {
    auto value = below_->Get(f, key, tier);
    if (!value.ok() || !value->has_value() || !IsSealed(f)) return value;
    ASSIGN_OR_RETURN((*value)->view, Unseal(f, key, (*value)->view));
    return value;
  }

  Result<std::vector<std::optional<ByteSlice>>> GetMany(Family f,
                                                        const std::vector<std::string>& keys,
                                                        Tier tier) override {
    auto values = below_->GetMany(f, keys, tier);
    if (!values.ok() || !IsSealed(f)) return values;
    for (size_t i = 0; i < keys.size(); ++i) {
      std::optional<ByteSlice>& value = (*values)[i];
      if (!value) continue;
      ASSIGN_OR_RETURN(value->view, Unseal(f, keys[i], value->view));
    }
    return values;
  }

  std::unique_ptr<KvIterator> Iterate(Family f, std::string lower, std::string upper,
                                      Tier tier) override {
    auto below = below_->Iterate(f, std::move(lower), std::move(upper), tier);
    if (!IsSealed(f)) return below;
    return std::make_unique<SealedIterator>(std::move(below), f);
  }

  Status Write(const Batch& batch, Tier tier) override {
    Batch sealed;
    for (const Batch::Op& op : batch.ops()) {
      switch (op.kind) {
        case Batch::Op::Kind::kPut:
          sealed.Put(op.family, op.key,
                     IsSealed(op.family) ? Seal(op.family, op.key, op.value) : op.value);
          break;
        case Batch::Op::Kind::kDelete:
          sealed.Delete(op.family, op.key);
          break;
        case Batch::Op::Kind::kDeleteRange:
          sealed.DeleteRange(op.family, op.key, op.limit);
          break;
        case Batch::Op::Kind::kAdd:
          sealed.Add(op.family, op.key, op.delta);
          break;
      }
    }
    return below_->Write(sealed, tier);
  }

  Status SyncWal() override { return below_->SyncWal(); }
  Status Destroy(Family f, std::string_view first, std::string_view limit) override {
    return below_->Destroy(f, first, limit);
  }
  Status Compact(Family f, std::string_view first, std::string_view limit,
                 uint64_t freed) override {
    return below_->Compact(f, first, limit, freed);
  }

 private:
  const std::unique_ptr<Kv> below_;
};

}  // namespace

bool IsSealed(Family f) { return f != Family::kSuper; }

Bytes Seal(Family f, std::string_view key, Bytes value) {
  Checksum checksum(f, key);
  for (const ByteSlice& slice : value.slices()) checksum.Add(slice.view);
  const uint64_t sum = checksum.Get();
  value.Append(Bytes::Copy({reinterpret_cast<const char*>(&sum), sizeof(sum)}));
  return value;
}

Result<std::string_view> Unseal(Family f, std::string_view key, std::string_view sealed) {
  auto corrupt = [&](std::string_view what) {
    return Error(Errno::kEIO, fmt::format("corrupt: {} of key {} in family {}", what,
                                          PrintKey(key), static_cast<int>(f)));
  };
  if (sealed.size() < kSealBytes) return corrupt("the checksum is missing");
  const std::string_view value = sealed.substr(0, sealed.size() - kSealBytes);
  Checksum checksum(f, key);
  checksum.Add(value);
  const uint64_t sum = checksum.Get();
  if (std::memcmp(&sum, value.data() + value.size(), sizeof(sum)) != 0) {
    return corrupt("the checksum is wrong");
  }
  return value;
}

std::unique_ptr<Kv> MakeSealedKv(std::unique_ptr<Kv> below) {
  return std::make_unique<SealedKv>(std::move(below));
}

}  // namespace tarn::store
