#include "server/store/migrate.h"

#include <utility>

#include "common/limits.h"
#include "common/log.h"
#include "server/store/keys.h"
#include "server/store/sealed_kv.h"
#include "server/store/super.h"

namespace tarn::store {
namespace {

void PutFormat(Batch& batch, uint32_t version) {
  batch.Put(Family::kSuper, std::string(kFormatKey), Bytes::FromString(Be32(version)));
}

// How far a step has come: everything before `key` of `family`, and that key itself, is done.
struct Mark {
  int family = 0;
  std::string key;
};

void PutMark(Batch& batch, const Mark& mark) {
  batch.Put(Family::kSuper, std::string(kUpgradingKey),
            Bytes::FromString(std::string(1, static_cast<char>(mark.family)) + mark.key));
}

// 1 to 2. The values of one family from the mark on get their checksums, in batches.
Status SealFamily(Kv& kv, Mark& mark, size_t batch_bytes) {
  const auto family = static_cast<Family>(mark.family);
  for (;;) {
    Batch batch;
    size_t size = 0;
    auto it = kv.Iterate(family, "", "", Tier::kScan);
    it->Seek(mark.key);
    if (it->Valid() && !mark.key.empty() && it->key() == mark.key) it->Next();
    for (; it->Valid() && size < batch_bytes; it->Next()) {
      mark.key = it->key();
      batch.Put(family, mark.key, Seal(family, mark.key, Bytes::Copy(it->value())));
      size += mark.key.size() + it->value().size();
    }
    RETURN_IF_ERROR(it->status());
    if (batch.empty()) return Ok();
    PutMark(batch, mark);
    RETURN_IF_ERROR(kv.Write(batch, Tier::kMayBlock));
  }
}

Status SealAll(Kv& kv, Mark mark, size_t batch_bytes) {
  for (; mark.family < kFamilies; mark = {mark.family + 1, {}}) {
    if (!IsSealed(static_cast<Family>(mark.family))) continue;
    RETURN_IF_ERROR(SealFamily(kv, mark, batch_bytes));
  }
  Batch batch;
  batch.Delete(Family::kSuper, std::string(kUpgradingKey));
  RETURN_IF_ERROR(kv.Write(batch, Tier::kMayBlock));
  return kv.SyncWal();
}

}  // namespace

Status Upgrade(Kv& kv, size_t batch_bytes) {
  ASSIGN_OR_RETURN(const auto stored, kv.Get(Family::kSuper, kFormatKey, Tier::kMayBlock));
  if (!stored) return Ok();
  ASSIGN_OR_RETURN(const auto mark, kv.Get(Family::kSuper, kUpgradingKey, Tier::kMayBlock));
  const std::optional<uint32_t> version = ReadBe32(stored->view);
  if (version == 1u) {
    LogInfo("upgrading what is stored from format version 1 to 2");
    Batch batch;
    PutFormat(batch, 2);
    PutMark(batch, {});
    RETURN_IF_ERROR(kv.Write(batch, Tier::kMayBlock));
    return SealAll(kv, {}, batch_bytes);
  }
  RETURN_IF_ERROR(CheckFormat(stored->view));
  if (!mark) return Ok();
  if (mark->view.empty()) return Error(Errno::kEIO, "corrupt: super's upgrading is no place");
  LogInfo("going on with the upgrade of what is stored to format version 2");
  return SealAll(kv, {mark->view[0], std::string(mark->view.substr(1))}, batch_bytes);
}

}  // namespace tarn::store
