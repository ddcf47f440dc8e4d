// LeaseTable::CheckInvariants, for tests.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "common/log.h"
#include "server/state/lease_table.h"

namespace tarn::state {
namespace {
void Require(bool holds, std::string_view invariant) {
  if (holds) return;
  LogError("LeaseTable: broken invariant: {}", invariant);
  std::abort();
}
}  // namespace

void LeaseTable::CheckInvariants() const {
  ReaderMutexLock lock(&mu_);
  uint64_t holders = 0, held = 0, exclusives = 0;
  size_t open = 0, listed = 0;
  absl::flat_hash_map<Ino, uint32_t> reserved;
  for (const auto& [id, ticket] : tickets_) {
    for (const Ino ino : ticket.reserved) ++reserved[ino];
  }
  for (const auto& [ino, entry] : entries_) {
    Require(!entry.holders.empty() || entry.busy != nullptr, "an unused inode is forgotten");
    holders += entry.holders.size();
    for (const Holder& holder : entry.holders) {
      Require(clients_.at(holder.who)->held.contains(ino), "a holder knows what it holds");
      exclusives += holder.exclusive ? 1 : 0;
      Require(!holder.exclusive || entry.holders.size() == 1, "an exclusive holder is alone");
    }
    if (entry.busy == nullptr) continue;
    const auto count = reserved.find(ino);
    Require(entry.busy->reservations == (count == reserved.end() ? 0 : count->second),
            "reservations are those of the tickets");
    Require(entry.busy->reservations > 0 || !entry.busy->recalls.empty(),
            "what is not busy is forgotten");
    listed += entry.busy->recalls.size();
    for (const auto& [who, number] : entry.busy->recalls) {
      Require(clients_.at(who)->recalls.at(number).recall.ino == ino, "a recall is of its inode");
    }
  }
  for (Who who = 1; who < clients_.size(); ++who) {
    const Client* const client = clients_[who].get();
    if (client == nullptr) continue;
    Require(names_.at(client->id) == who, "a session is found by its id");
    held += client->held.size();
    open += client->recalls.size();
  }
  Require(holders == held && holders == leases_.load(), "leases are counted");
  Require(exclusives == exclusives_.load(), "exclusive leases are counted");
  Require(open == listed, "open recalls are counted");
}

}  // namespace tarn::state
