// LeaseTable's other side: what the holders say, and what they are asked.
#include <algorithm>
#include <utility>

#include "server/state/lease_table.h"

namespace tarn::state {

void LeaseTable::RemoveHolder(Who who, Ino ino, Outcome& out) {
  const auto it = entries_.find(ino);
  if (it == entries_.end()) return;
  auto& holders = it->second.holders;
  const auto holder =
      std::find_if(holders.begin(), holders.end(), [who](const Holder& h) { return h.who == who; });
  if (holder == holders.end()) return;
  SetExclusive(*holder, false);
  *holder = holders.back();
  holders.pop_back();
  leases_.fetch_sub(1, std::memory_order_release);
  if (holders.empty()) out.free.push_back(ino);
  Settle(ino, out.ready);
}

void LeaseTable::Close(Who who, uint64_t number, const OpenCall& call, Outcome& out) {
  for (const TicketId id : call.waiting) {
    const auto ticket = tickets_.find(id);
    if (ticket != tickets_.end() && --ticket->second.waits == 0) out.ready.push_back(id);
  }
  auto& recalls = entries_[call.recall.ino].busy->recalls;
  recalls.erase(std::find(recalls.begin(), recalls.end(), std::pair(who, number)));
  Settle(call.recall.ino, out.ready);
}

LeaseTable::Outcome LeaseTable::Answer(SessionId from, absl::Span<const uint64_t> recalls) {
  Outcome out;
  MutexLock lock(&mu_);
  const Who who = Find(from);
  if (who == 0) return out;
  Client& client = *clients_[who];
  for (const uint64_t number : recalls) {
    auto answered = client.recalls.extract(number);
    if (answered.empty()) continue;
    const OpenCall& call = answered.mapped();
    if (call.recall.to == LeaseMode::kNone && client.held.erase(call.recall.ino) > 0) {
      RemoveHolder(who, call.recall.ino, out);
    } else if (!call.recall.directory) {
      for (Holder& holder : entries_[call.recall.ino].holders) {
        if (holder.who != who) continue;
        SetExclusive(holder, false);
        holder.wrote = false;
      }
    }
    Close(who, number, call, out);
  }
  return out;
}

LeaseTable::Outcome LeaseTable::AnswerGlimpses(SessionId from, absl::Span<const Glimpse> glimpses) {
  Outcome out;
  MutexLock lock(&mu_);
  const Who who = Find(from);
  if (who == 0) return out;
  Client& client = *clients_[who];
  for (const Glimpse& glimpse : glimpses) {
    const auto open = client.recalls.find(glimpse.event);
    if (open == client.recalls.end() || open->second.recall.to != LeaseMode::kExclusive) continue;
    const OpenCall call = std::move(open->second);
    client.recalls.erase(open);
    for (const TicketId id : call.waiting) {
      const auto ticket = tickets_.find(id);
      if (ticket == tickets_.end()) continue;
      ticket->second.glimpsed.push_back({call.recall.ino, glimpse.size, glimpse.mtime});
    }
    Close(who, glimpse.event, call, out);
  }
  return out;
}

LeaseTable::Outcome LeaseTable::Return(SessionId from, absl::Span<const LeaseReturn> returned) {
  Outcome out;
  MutexLock lock(&mu_);
  const Who who = Find(from);
  if (who == 0) return out;
  Client& client = *clients_[who];
  for (const LeaseReturn& lease : returned) {
    if (!client.held.contains(lease.ino)) continue;
    const auto& holders = entries_[lease.ino].holders;
    const auto holder = std::find_if(holders.begin(), holders.end(),
                                     [who](const Holder& h) { return h.who == who; });
    if (holder->sequence > lease.sequence) continue;
    client.held.erase(lease.ino);
    RemoveHolder(who, lease.ino, out);
  }
  return out;
}

LeaseTable::Outcome LeaseTable::DropSession(SessionId session) {
  Outcome out;
  MutexLock lock(&mu_);
  const auto name = names_.find(session);
  if (name == names_.end()) return out;
  const Who who = name->second;
  const std::unique_ptr<Client> client = std::move(clients_[who]);
  names_.erase(name);
  for (const Ino ino : client->held) RemoveHolder(who, ino, out);
  for (const auto& [number, call] : client->recalls) Close(who, number, call, out);
  return out;
}

std::vector<OpenRecall> LeaseTable::RecallsOf(SessionId session, uint64_t after,
                                              size_t limit) const {
  std::vector<OpenRecall> out;
  ReaderMutexLock lock(&mu_);
  const Who who = Find(session);
  if (who == 0) return out;
  const auto& recalls = clients_.at(who)->recalls;
  for (auto it = recalls.upper_bound(after); it != recalls.end() && out.size() < limit; ++it) {
    out.push_back({it->first, it->second.recall});
  }
  return out;
}

uint64_t LeaseTable::LastRecallOf(SessionId session) const {
  ReaderMutexLock lock(&mu_);
  const Who who = Find(session);
  return who == 0 ? 0 : clients_.at(who)->last_recall;
}

std::vector<LeaseTable::Awaited> LeaseTable::AwaitedSessions() const {
  std::vector<Awaited> out;
  ReaderMutexLock lock(&mu_);
  for (const std::unique_ptr<Client>& client : clients_) {
    if (client == nullptr || client->recalls.empty()) continue;
    // Numbers grow with time.
    out.push_back({client->id, client->recalls.begin()->second.since_nanos});
  }
  return out;
}

size_t LeaseTable::CountOf(SessionId session) const {
  ReaderMutexLock lock(&mu_);
  const Who who = Find(session);
  return who == 0 ? 0 : clients_.at(who)->held.size();
}

}  // namespace tarn::state
