// Memory for requests whose answers are not sent yet: how much all clients together may occupy, and
// what each address may have in any case.
//
// A request is charged with the bytes of its message, the contents that its reply may carry, and
// something for what is made of it. While the total is below its limit everybody is admitted.
// Beyond it those are refused who are behind an address that has more than its share under way: so
// one host that floods the server is held to its share, and the others do not notice.
// Thread safety: safe, without locks on the path of a request.
// Lifetime: accounts and charges may outlive the budget's user, not the budget.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/limits.h"
#include "common/sync.h"

namespace tarn::state {

// What the sessions of one address use together.
struct PeerAccount {
  std::atomic<uint64_t> bytes = 0;
};

class RequestBudget {
 public:
  explicit RequestBudget(uint64_t total_bytes = kRequestBytesMax)
      : total_max_(total_bytes), share_(total_bytes / kRequestShares) {}

  // The account of an address; the same one as long as anybody has it.
  std::shared_ptr<PeerAccount> AccountOf(const std::string& address);

  // Gives back what was taken when it goes.
  class Charge {
   public:
    Charge(Charge&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), peer_(std::move(other.peer_)),
          bytes_(other.bytes_) {}
    Charge& operator=(Charge&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(peer_, other.peer_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Charge();

   private:
    friend class RequestBudget;
    Charge(RequestBudget* budget, std::shared_ptr<PeerAccount> peer, uint64_t bytes)
        : budget_(budget), peer_(std::move(peer)), bytes_(bytes) {}
    RequestBudget* budget_;
    std::shared_ptr<PeerAccount> peer_;
    uint64_t bytes_;
  };
  // For a message of so many bytes, with its reply's contents; nullopt: not now.
  std::optional<Charge> Take(std::shared_ptr<PeerAccount> peer, uint64_t bytes);

  uint64_t bytes() const { return total_.load(std::memory_order_relaxed); }

 private:
  const uint64_t total_max_;
  const uint64_t share_;
  std::atomic<uint64_t> total_ = 0;

  Mutex mu_;
  absl::flat_hash_map<std::string, std::weak_ptr<PeerAccount>> accounts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tarn::state
