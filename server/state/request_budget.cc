#include "server/state/request_budget.h"

namespace tarn::state {

std::shared_ptr<PeerAccount> RequestBudget::AccountOf(const std::string& address) {
  MutexLock lock(&mu_);
  if (std::shared_ptr<PeerAccount> known = accounts_[address].lock()) return known;
  absl::erase_if(accounts_, [](const auto& entry) { return entry.second.expired(); });
  auto made = std::make_shared<PeerAccount>();
  accounts_[address] = made;
  return made;
}

std::optional<RequestBudget::Charge> RequestBudget::Take(std::shared_ptr<PeerAccount> peer,
                                                         uint64_t bytes) {
  bytes += kRequestOverheadBytes;
  const uint64_t total = total_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  const uint64_t own = peer->bytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  Charge charge(this, std::move(peer), bytes);
  if (total > total_max_ && own > share_) return std::nullopt;
  return charge;
}

RequestBudget::Charge::~Charge() {
  if (budget_ == nullptr) return;
  budget_->total_.fetch_sub(bytes_, std::memory_order_relaxed);
  peer_->bytes.fetch_sub(bytes_, std::memory_order_relaxed);
}

}  // namespace tarn::state
