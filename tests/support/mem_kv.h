// A Kv in memory, for tests: an ordered map per family, whose durability can be tried (reopening,
// loss of power) and whose failures can be asked for.
#pragma once

#include <functional>
#include <memory>

#include "server/store/kv.h"

namespace tarn::testing {

// Thread safety: safe. Lifetime: the contents outlive the MemKv in those made by Reopen.
class MemKv : public store::Kv {
 public:
  MemKv();
  ~MemKv() override;

  // A second MemKv on the same contents: what a restart of the process finds. Stop using the first.
  std::unique_ptr<MemKv> Reopen() const;
  // A copy with only what was synced: what a restart after a loss of power finds.
  std::unique_ptr<MemKv> PowerLoss() const;

  // Reads with Tier::kMemoryOnly for which `blocked` is true fail with kBlocked, as if the value
  // were on disk only; null: none. It must not call back.
  using BlockedKeys = std::function<bool(store::Family, std::string_view key)>;
  void SetBlocked(BlockedKeys blocked);
  // Writes with Tier::kMemoryOnly fail with kBlocked while set, as if the engine stalled.
  void SetStalled(bool stalled);
  // The next Write or SyncWal fails with `error` and does nothing.
  void FailNextWrite(Errno error);
  void FailNextSync(Errno error);
  // Runs inside SyncWal, before it takes effect, with no lock held; null: nothing.
  void SetBeforeSync(std::function<void()> hook);

  int writes() const;  // calls of Write that succeeded
  int syncs() const;   // calls of SyncWal that succeeded
  size_t KeyCount(store::Family f) const;

  Result<std::optional<ByteSlice>> Get(store::Family f, std::string_view key,
                                       store::Tier tier) override;
  Result<std::vector<std::optional<ByteSlice>>> GetMany(store::Family f,
                                                        const std::vector<std::string>& keys,
                                                        store::Tier tier) override;
  std::unique_ptr<store::KvIterator> Iterate(store::Family f, std::string lower, std::string upper,
                                             store::Tier tier) override;
  Status Write(const store::Batch& batch, store::Tier tier) override;
  Status SyncWal() override;
  Status Destroy(store::Family f, std::string_view first, std::string_view limit) override;
  Status Compact(store::Family f, std::string_view first, std::string_view limit,
                 uint64_t freed) override;

 private:
  struct State;
  explicit MemKv(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace tarn::testing
