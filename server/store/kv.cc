#include "server/store/kv.h"

#include <utility>

namespace tarn::store {

void Batch::Put(Family f, std::string key, Bytes value) {
  ops_.push_back({Op::Kind::kPut, f, std::move(key), std::move(value), {}, 0});
}

void Batch::Delete(Family f, std::string key) {
  ops_.push_back({Op::Kind::kDelete, f, std::move(key), {}, {}, 0});
}

void Batch::DeleteRange(Family f, std::string first, std::string limit) {
  ops_.push_back({Op::Kind::kDeleteRange, f, std::move(first), {}, std::move(limit), 0});
}

void Batch::Add(Family f, std::string key, int64_t delta) {
  ops_.push_back({Op::Kind::kAdd, f, std::move(key), {}, {}, delta});
}

}  // namespace tarn::store
