// A Kv that remembers what its content was after each batch, so that a test can say which of these
// states another engine has, byte for byte.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/sync.h"
#include "server/store/kv.h"

namespace tarn::testing {

// The content of an engine as a number: the same for the same keys and values.
Result<uint64_t> DigestOf(store::Kv& kv);

// A Kv that somebody else has as well.
// Thread safety: as the Kv below.
class BorrowedKv : public store::Kv {
 public:
  explicit BorrowedKv(std::shared_ptr<store::Kv> below) : below_(std::move(below)) {}
  Result<std::optional<ByteSlice>> Get(store::Family f, std::string_view key,
                                       store::Tier tier) override {
    return below_->Get(f, key, tier);
  }
  Result<std::vector<std::optional<ByteSlice>>> GetMany(store::Family f,
                                                        const std::vector<std::string>& keys,
                                                        store::Tier tier) override {
    return below_->GetMany(f, keys, tier);
  }
  std::unique_ptr<store::KvIterator> Iterate(store::Family f, std::string lower, std::string upper,
                                             store::Tier tier) override {
    return below_->Iterate(f, std::move(lower), std::move(upper), tier);
  }
  Status Write(const store::Batch& batch, store::Tier tier) override {
    return below_->Write(batch, tier);
  }
  Status SyncWal() override { return below_->SyncWal(); }
  Status Destroy(store::Family f, std::string_view first, std::string_view limit) override {
    return below_->Destroy(f, first, limit);
  }
  Status Compact(store::Family f, std::string_view first, std::string_view limit,
                 uint64_t freed) override {
    return below_->Compact(f, first, limit, freed);
  }

 protected:
  const std::shared_ptr<store::Kv> below_;
};

// Thread safety: safe; writes go to the Kv below one after the other. REQUIRES: the Kv below is
// empty at first, and nothing is destroyed by range.
class WitnessKv : public BorrowedKv {
 public:
  using BorrowedKv::BorrowedKv;

  // How many batches have begun to be written, and how many were durable when SyncWal returned.
  size_t begun() const { return begun_.load(); }
  size_t durable() const { return durable_.load(); }
  // Whether the content after `from` to `to` batches (the last included) had this digest.
  bool Had(uint64_t digest, size_t from, size_t to) const;

  Status Write(const store::Batch& batch, store::Tier tier) override;
  Status SyncWal() override;
  Status Destroy(store::Family f, std::string_view first, std::string_view limit) override;

 private:
  using Key = std::pair<store::Family, std::string>;

  void Apply(const store::Batch::Op& op) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Set(const Key& key, std::string value) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Erase(std::map<Key, std::string>::iterator it) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  std::atomic<size_t> begun_{0};
  std::atomic<size_t> durable_{0};
  mutable Mutex mu_;
  std::map<Key, std::string> content_ ABSL_GUARDED_BY(mu_);
  uint64_t digest_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<uint64_t> digests_ ABSL_GUARDED_BY(mu_) = {0};  // [n]: after n batches
};

}  // namespace tarn::testing
