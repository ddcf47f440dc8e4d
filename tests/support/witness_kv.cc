#include "tests/support/witness_kv.h"

#include <endian.h>

#include <algorithm>
#include <functional>

#include "server/store/keys.h"

namespace tarn::testing {

using store::Batch;
using store::Family;
using store::Tier;

namespace {

// Of one entry; the digest of a content is the sum, so that entries come and go in any order.
uint64_t HashOf(Family f, std::string_view key, std::string_view value) {
  uint64_t hash = std::hash<std::string_view>()(key) + 0x9e3779b97f4a7c15 * Raw(f);
  hash ^= std::hash<std::string_view>()(value) + (hash << 6) + (hash >> 2);
  hash *= 0xff51afd7ed558ccd;
  return hash ^ (hash >> 33);
}

}  // namespace

Result<uint64_t> DigestOf(store::Kv& kv) {
  uint64_t digest = 0;
  for (int f = 0; f < store::kFamilies; ++f) {
    const auto family = static_cast<Family>(f);
    auto it = kv.Iterate(family, "", "", Tier::kScan);
    for (it->Seek(""); it->Valid(); it->Next()) digest += HashOf(family, it->key(), it->value());
    RETURN_IF_ERROR(it->status());
  }
  return digest;
}

bool WitnessKv::Had(uint64_t digest, size_t from, size_t to) const {
  MutexLock lock(&mu_);
  const auto end = digests_.begin() + static_cast<ptrdiff_t>(std::min(to + 1, digests_.size()));
  return std::find(digests_.begin() + static_cast<ptrdiff_t>(from), end, digest) != end;
}

void WitnessKv::Erase(std::map<Key, std::string>::iterator it) {
  digest_ -= HashOf(it->first.first, it->first.second, it->second);
  content_.erase(it);
}

void WitnessKv::Set(const Key& key, std::string value) {
  if (const auto it = content_.find(key); it != content_.end()) Erase(it);
  digest_ += HashOf(key.first, key.second, value);
  content_[key] = std::move(value);
}

void WitnessKv::Apply(const Batch::Op& op) {
  const Key key(op.family, op.key);
  switch (op.kind) {
    case Batch::Op::Kind::kPut:
      return Set(key, op.value.ToString());
    case Batch::Op::Kind::kDelete:
      if (const auto it = content_.find(key); it != content_.end()) Erase(it);
      return;
    case Batch::Op::Kind::kDeleteRange:
      for (auto it = content_.lower_bound(key);
           it != content_.end() && it->first < Key(op.family, op.limit);) {
        Erase(it++);
      }
      return;
    case Batch::Op::Kind::kAdd: {
      const auto it = content_.find(key);
      const int64_t before = it == content_.end() ? 0 : *store::ReadLe64(it->second);
      const uint64_t sum = htole64(static_cast<uint64_t>(before + op.delta));
      return Set(key, std::string(reinterpret_cast<const char*>(&sum), sizeof(sum)));
    }
  }
}

Status WitnessKv::Write(const Batch& batch, Tier tier) {
  MutexLock lock(&mu_);  // in one order, here and below
  begun_.store(digests_.size());
  Status status = below_->Write(batch, tier);
  if (status.ok()) {
    for (const Batch::Op& op : batch.ops()) Apply(op);
    digests_.push_back(digest_);
  }
  begun_.store(digests_.size() - 1);
  return status;
}

Status WitnessKv::SyncWal() {
  size_t written = 0;
  {
    MutexLock lock(&mu_);
    written = digests_.size() - 1;
  }
  RETURN_IF_ERROR(below_->SyncWal());
  size_t before = durable_.load();
  while (before < written && !durable_.compare_exchange_weak(before, written)) {
  }
  return Ok();
}

Status WitnessKv::Destroy(Family, std::string_view, std::string_view) {
  return Error(Errno::kEIO, "a witness cannot follow this");
}

}  // namespace tarn::testing
