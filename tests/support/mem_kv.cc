#include "tests/support/mem_kv.h"

#include <array>
#include <cstring>
#include <map>
#include <utility>

#include "common/sync.h"

namespace tarn::testing {

using store::Batch;
using store::Family;
using store::Tier;

namespace {

using Value = std::shared_ptr<const std::string>;
using Map = std::map<std::string, Value, std::less<>>;
using Maps = std::array<Map, store::kFamilies>;

int64_t DecodeCounter(const Map& map, const std::string& key) {
  int64_t value = 0;
  auto it = map.find(key);
  if (it != map.end() && it->second->size() == sizeof(value)) {
    std::memcpy(&value, it->second->data(), sizeof(value));
  }
  return value;
}

void Erase(Map& map, std::string_view first, std::string_view limit) {
  if (first < limit) map.erase(map.lower_bound(first), map.lower_bound(limit));
}

void Apply(Maps& maps, const Batch& batch) {
  for (const Batch::Op& op : batch.ops()) {
    Map& map = maps[static_cast<size_t>(op.family)];
    switch (op.kind) {
      case Batch::Op::Kind::kPut:
        map[op.key] = std::make_shared<const std::string>(op.value.ToString());
        break;
      case Batch::Op::Kind::kDelete:
        map.erase(op.key);
        break;
      case Batch::Op::Kind::kDeleteRange:
        Erase(map, op.key, op.limit);
        break;
      case Batch::Op::Kind::kAdd: {
        int64_t sum = DecodeCounter(map, op.key) + op.delta;
        std::string bytes(sizeof(sum), '\0');
        std::memcpy(bytes.data(), &sum, sizeof(sum));
        map[op.key] = std::make_shared<const std::string>(std::move(bytes));
        break;
      }
    }
  }
}

}  // namespace

struct MemKv::State {
  mutable Mutex mu;
  Maps live ABSL_GUARDED_BY(mu);
  Maps synced ABSL_GUARDED_BY(mu);
  BlockedKeys blocked ABSL_GUARDED_BY(mu);
  bool stalled ABSL_GUARDED_BY(mu) = false;
  Errno fail_write ABSL_GUARDED_BY(mu) = Errno::kOk;
  Errno fail_sync ABSL_GUARDED_BY(mu) = Errno::kOk;
  std::function<void()> before_sync ABSL_GUARDED_BY(mu);
  int writes ABSL_GUARDED_BY(mu) = 0;
  int syncs ABSL_GUARDED_BY(mu) = 0;

  Map& map(Family f) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return live[static_cast<size_t>(f)]; }
  bool Blocks(Family f, std::string_view key, Tier tier) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    return tier == Tier::kMemoryOnly && blocked && blocked(f, key);
  }
};

namespace {

// Walks a copy of the range, made at the first Seek: what an engine's snapshot does.
class MemIterator : public store::KvIterator {
 public:
  MemIterator(Map copy, std::function<bool(std::string_view)> blocked)
      : map_(std::move(copy)), blocked_(std::move(blocked)), at_(map_.end()) {}
  void Seek(std::string_view key) override {
    at_ = map_.lower_bound(key);
    Check();
  }
  bool Valid() const override { return ok_ && at_ != map_.end(); }
  void Next() override {
    ++at_;
    Check();
  }
  std::string_view key() const override { return at_->first; }
  std::string_view value() const override { return *at_->second; }
  Status status() const override { return ok_ ? Ok() : Status(Errno::kBlocked); }

 private:
  void Check() { ok_ = at_ == map_.end() || !blocked_(at_->first); }

  const Map map_;
  const std::function<bool(std::string_view)> blocked_;
  Map::const_iterator at_;
  bool ok_ = true;
};

}  // namespace

MemKv::MemKv() : MemKv(std::make_shared<State>()) {}
MemKv::MemKv(std::shared_ptr<State> state) : state_(std::move(state)) {}
MemKv::~MemKv() = default;

std::unique_ptr<MemKv> MemKv::Reopen() const { return std::unique_ptr<MemKv>(new MemKv(state_)); }

std::unique_ptr<MemKv> MemKv::PowerLoss() const {
  auto copy = std::make_shared<State>();
  MutexLock lock(&state_->mu);
  MutexLock copy_lock(&copy->mu);
  copy->live = copy->synced = state_->synced;
  return std::unique_ptr<MemKv>(new MemKv(std::move(copy)));
}

void MemKv::SetBlocked(BlockedKeys blocked) {
  MutexLock lock(&state_->mu);
  state_->blocked = std::move(blocked);
}

void MemKv::SetStalled(bool stalled) {
  MutexLock lock(&state_->mu);
  state_->stalled = stalled;
}

void MemKv::FailNextWrite(Errno error) {
  MutexLock lock(&state_->mu);
  state_->fail_write = error;
}

void MemKv::FailNextSync(Errno error) {
  MutexLock lock(&state_->mu);
  state_->fail_sync = error;
}

void MemKv::SetBeforeSync(std::function<void()> hook) {
  MutexLock lock(&state_->mu);
  state_->before_sync = std::move(hook);
}

int MemKv::writes() const {
  MutexLock lock(&state_->mu);
  return state_->writes;
}

int MemKv::syncs() const {
  MutexLock lock(&state_->mu);
  return state_->syncs;
}

size_t MemKv::KeyCount(Family f) const {
  MutexLock lock(&state_->mu);
  return state_->map(f).size();
}

Result<std::optional<ByteSlice>> MemKv::Get(Family f, std::string_view key, Tier tier) {
  MutexLock lock(&state_->mu);
  if (state_->Blocks(f, key, tier)) return Errno::kBlocked;
  const Map& map = state_->map(f);
  auto it = map.find(key);
  if (it == map.end()) return std::optional<ByteSlice>();
  return std::optional<ByteSlice>(ByteSlice{*it->second, it->second});
}

Result<std::vector<std::optional<ByteSlice>>> MemKv::GetMany(Family f,
                                                             const std::vector<std::string>& keys,
                                                             Tier tier) {
  std::vector<std::optional<ByteSlice>> out;
  out.reserve(keys.size());
  for (const std::string& key : keys) {
    ASSIGN_OR_RETURN(std::optional<ByteSlice> value, Get(f, key, tier));
    out.push_back(std::move(value));
  }
  return out;
}

std::unique_ptr<store::KvIterator> MemKv::Iterate(Family f, std::string lower, std::string upper,
                                                  Tier tier) {
  MutexLock lock(&state_->mu);
  const Map& map = state_->map(f);
  auto end = upper.empty() ? map.end() : map.lower_bound(upper);
  auto begin = map.lower_bound(lower);
  Map copy = !upper.empty() && upper <= lower ? Map() : Map(begin, end);
  return std::make_unique<MemIterator>(
      std::move(copy), [state = state_, f, tier](std::string_view key) {
        MutexLock lock(&state->mu);
        return state->Blocks(f, key, tier);
      });
}

Status MemKv::Write(const Batch& batch, Tier tier) {
  MutexLock lock(&state_->mu);
  if (tier == Tier::kMemoryOnly && state_->stalled) return Errno::kBlocked;
  if (Errno error = std::exchange(state_->fail_write, Errno::kOk); error != Errno::kOk) {
    return error;
  }
  Apply(state_->live, batch);
  ++state_->writes;
  return Ok();
}

Status MemKv::SyncWal() {
  std::function<void()> hook;
  {
    MutexLock lock(&state_->mu);
    hook = state_->before_sync;
  }
  if (hook) hook();
  MutexLock lock(&state_->mu);
  if (Errno error = std::exchange(state_->fail_sync, Errno::kOk); error != Errno::kOk) return error;
  state_->synced = state_->live;
  ++state_->syncs;
  return Ok();
}

Status MemKv::Destroy(Family f, std::string_view first, std::string_view limit) {
  MutexLock lock(&state_->mu);
  Erase(state_->map(f), first, limit);
  return Ok();
}

Status MemKv::Compact(Family, std::string_view, std::string_view, uint64_t) { return Ok(); }

}  // namespace tarn::testing
