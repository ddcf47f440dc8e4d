#include "server/state/lease_table.h"

#include <algorithm>
#include <utility>

namespace tarn::state {
namespace {

template <class Names>
bool Includes(const std::vector<std::string>& all, const Names& names) {
  return std::all_of(names.begin(), names.end(), [&all](std::string_view name) {
    return std::find(all.begin(), all.end(), name) != all.end();
  });
}

// An answer to `open` does what is wanted, too. A glimpse is one's own: its answer is of its
// moment.
bool Covers(const Recall& open, const Recall& wanted) {
  if (open.to == LeaseMode::kNone) return true;
  if (open.to == LeaseMode::kExclusive) return false;
  return wanted.directory ? Includes(open.names, wanted.names) : wanted.to >= open.to;
}

}  // namespace

LeaseTable::Who LeaseTable::Find(SessionId session) const {
  const auto it = names_.find(session);
  return it == names_.end() ? 0 : it->second;
}

LeaseTable::Client& LeaseTable::ClientOf(SessionId session, Who& who) {
  who = Find(session);
  if (who == 0) {
    if (clients_.empty()) clients_.emplace_back();  // nobody is 0
    who = static_cast<Who>(clients_.size());
    names_[session] = who;
    clients_.push_back(std::make_unique<Client>());
    clients_[who]->id = session;
  }
  return *clients_[who];
}

// ---- grants ----

LeaseTable::Want LeaseTable::Temper(Ino ino, Who who, Want want, int64_t now_nanos) {
  const bool hot = heat_.IsHot(ino, now_nanos);
  const SessionId to = clients_[who]->id;
  if (want != Want::kWrite && want != Want::kTurn) {
    heat_.NoteLook(ino, to);
    return hot && want != Want::kData ? Want::kNothing : want;
  }
  const Want otherwise = hot ? Want::kNothing : Want::kWrite;
  if (!IsAlone(ino, who)) return otherwise;
  if (want == Want::kTurn) return want;
  if (!hot && clients_[who]->held.contains(ino)) return want;
  return heat_.NoteWrite(ino, to, now_nanos) ? Want::kTurn : otherwise;
}

void LeaseTable::Grant(SessionId to, absl::Span<const Ino> inodes, Want wanted,
                       int64_t now_nanos, std::vector<tarn::Grant>& out) {
  MutexLock lock(&mu_);
  Who who = Find(to);
  if (who == 0 && wanted == Want::kHeld) return;
  Client& client = ClientOf(to, who);
  for (const Ino ino : inodes) {
    const Want want = Temper(ino, who, wanted, now_nanos);
    if (want == Want::kNothing) continue;
    const bool full = client.held.size() >= leases_per_session_ && want != Want::kData;
    const bool held_only = want == Want::kHeld || want == Want::kWrite || full;
    if (held_only && !client.held.contains(ino)) continue;
    Entry& entry = entries_[ino];
    if (entry.busy != nullptr || ExclusiveHolder(ino, who) != nullptr) continue;
    auto holder = std::find_if(entry.holders.begin(), entry.holders.end(),
                               [who](const Holder& h) { return h.who == who; });
    if (holder == entry.holders.end()) {
      entry.holders.push_back({.who = who});
      holder = entry.holders.end() - 1;
      client.held.insert(ino);
      leases_.fetch_add(1);
    }
    for (Holder& other : entry.holders) other.wrote = other.wrote && other.who == who;
    holder->recalls = 0;
    holder->sequence = ++last_sequence_;
    const bool writes = want == Want::kWrite || want == Want::kTurn;
    const bool again = std::exchange(holder->wrote, writes || holder->wrote);
    const bool enough = want == Want::kTurn || (writes && again);
    if (enough && entry.holders.size() == 1) SetExclusive(*holder, true);
    const LeaseMode mode = holder->exclusive ? LeaseMode::kExclusive : LeaseMode::kShared;
    out.push_back({ino, mode, holder->sequence});
  }
}

void LeaseTable::SetExclusive(Holder& holder, bool exclusive) {
  if (std::exchange(holder.exclusive, exclusive) == exclusive) return;
  if (exclusive) {
    exclusives_.fetch_add(1, std::memory_order_release);
  } else {
    exclusives_.fetch_sub(1, std::memory_order_release);
  }
}

bool LeaseTable::IsAlone(Ino ino, Who self) const {
  const auto it = entries_.find(ino);
  if (it == entries_.end()) return true;
  return std::all_of(it->second.holders.begin(), it->second.holders.end(),
                     [self](const Holder& holder) { return holder.who == self; });
}

const LeaseTable::Holder* LeaseTable::ExclusiveHolder(Ino ino, Who self) const {
  const auto it = entries_.find(ino);
  if (it == entries_.end()) return nullptr;
  for (const Holder& holder : it->second.holders) {
    if (holder.exclusive && holder.who != self) return &holder;
  }
  return nullptr;
}

bool LeaseTable::IsExclusiveElsewhere(Ino ino, SessionId session) const {
  if (no_exclusive()) return false;
  ReaderMutexLock lock(&mu_);
  return ExclusiveHolder(ino, Find(session)) != nullptr;
}

bool LeaseTable::IsExclusive(Ino ino, SessionId session) const {
  if (no_exclusive()) return false;
  ReaderMutexLock lock(&mu_);
  const Who who = Find(session);
  const Holder* const holder = ExclusiveHolder(ino, /*self=*/0);
  return holder != nullptr && holder->who == who;
}

bool LeaseTable::ReclaimExclusive(SessionId session, Ino ino) {
  MutexLock lock(&mu_);
  Who who = 0;
  Client& client = ClientOf(session, who);
  Entry& entry = entries_[ino];
  const auto other = std::find_if(entry.holders.begin(), entry.holders.end(),
                                  [who](const Holder& h) { return h.who != who; });
  if (other != entry.holders.end()) return false;
  if (entry.holders.empty()) {
    entry.holders.push_back({.who = who});
    client.held.insert(ino);
    leases_.fetch_add(1, std::memory_order_release);
  }
  entry.holders[0].sequence = ++last_sequence_;
  SetExclusive(entry.holders[0], true);
  return true;
}

bool LeaseTable::IsHeld(Ino ino) const {
  ReaderMutexLock lock(&mu_);
  const auto it = entries_.find(ino);
  return it != entries_.end() && !it->second.holders.empty();
}

// ---- who waits ----

bool LeaseTable::IsCovered(const Ticket& ticket, const LeaseChange& change, Who who) {
  return change.directory &&
         std::any_of(ticket.asked.begin(), ticket.asked.end(), [&](const Asked& asked) {
           return asked.ino == change.ino && asked.who == who &&
                  Includes(asked.names, change.names);
         });
}

bool LeaseTable::IsInTheWay(const LeaseChange& change, Who self, const Ticket* ticket) const {
  const auto it = entries_.find(change.ino);
  if (it == entries_.end()) return false;
  return std::any_of(it->second.holders.begin(), it->second.holders.end(), [&](const Holder& h) {
    return h.who != self && (ticket == nullptr || !IsCovered(*ticket, change, h.who));
  });
}

bool LeaseTable::Admit(SessionId by, const LeaseChanges& changes, int64_t now_nanos, TicketId& id,
                       std::vector<SessionId>& recalled) {
  MutexLock lock(&mu_);
  const Who self = Find(by);
  const auto known = id == TicketId{} ? tickets_.end() : tickets_.find(id);
  const Ticket* const so_far = known == tickets_.end() ? nullptr : &known->second;
  const bool free = std::none_of(changes.begin(), changes.end(), [&](const LeaseChange& change) {
    mu_.AssertReaderHeld();
    return IsInTheWay(change, self, so_far);
  });
  if (free) {
    for (const LeaseChange& change : changes) {
      heat_.NoteChange(change.ino, by, /*recalls=*/false, now_nanos);
    }
    return true;
  }
  if (id == TicketId{}) id = NewTicket();
  Ticket& ticket = tickets_[id];
  for (const LeaseChange& change : changes) {
    const bool in_the_way = IsInTheWay(change, self, &ticket);
    Reserve(ticket, change.ino);
    if (!in_the_way) continue;
    heat_.NoteChange(change.ino, by, /*recalls=*/true, now_nanos);
    const bool all = !change.directory || heat_.IsHot(change.ino, now_nanos);
    for (Holder& holder : entries_[change.ino].holders) {
      if (holder.who == self || IsCovered(ticket, change, holder.who)) continue;
      RecallFrom(holder, change, all, now_nanos, id, recalled);
    }
  }
  return false;
}

// A glimpse that was asked for its sake lets a ticket through, as the answer to a recall does,
// which leaves no exclusive holder.
bool LeaseTable::AdmitRead(SessionId by, const LeaseViews& views, int64_t now_nanos, TicketId& id,
                           std::vector<SessionId>& recalled, std::vector<Glimpsed>& glimpsed) {
  MutexLock lock(&mu_);
  const Who self = Find(by);
  const auto known = id == TicketId{} ? tickets_.end() : tickets_.find(id);
  // Of a file that is no longer in anybody's hands the store tells the truth.
  if (known != tickets_.end()) {
    for (const Glimpsed& one : known->second.glimpsed) {
      if (ExclusiveHolder(one.ino, self) != nullptr) glimpsed.push_back(one);
    }
  }
  const auto is_glimpsed = [&glimpsed](Ino ino) {
    return std::any_of(glimpsed.begin(), glimpsed.end(),
                       [ino](const Glimpsed& g) { return g.ino == ino; });
  };
  bool free = true;
  for (const LeaseView& view : views) {
    const Holder* const holder = ExclusiveHolder(view.ino, self);
    const bool glimpse = view.left == LeaseMode::kExclusive;
    if (holder == nullptr || (glimpse && is_glimpsed(view.ino))) continue;
    free = false;
    if (id == TicketId{}) id = NewTicket();
    Reserve(tickets_[id], view.ino);
    ++tickets_[id].waits;
    if (!glimpse) {
      tickets_[id].took_over = true;
      heat_.NoteChange(view.ino, by, /*recalls=*/true, now_nanos);
    }
    const Recall recall{.ino = view.ino, .to = view.left};
    if (JoinRecall(holder->who, recall, id)) continue;
    MakeRecall(holder->who, recall, now_nanos, id, recalled);
  }
  return free;
}

void LeaseTable::Reserve(Ticket& ticket, Ino ino) {
  if (std::find(ticket.reserved.begin(), ticket.reserved.end(), ino) != ticket.reserved.end()) {
    return;
  }
  ticket.reserved.push_back(ino);
  Entry& entry = entries_[ino];
  if (entry.busy == nullptr) entry.busy = std::make_unique<Busy>();
  ++entry.busy->reservations;
}

void LeaseTable::RecallFrom(Holder& holder, const LeaseChange& change, bool all, int64_t now_nanos,
                            TicketId id, std::vector<SessionId>& recalled) {
  Ticket& ticket = tickets_[id];
  ++ticket.waits;
  ticket.took_over |= holder.exclusive;
  ticket.asked.push_back({change.ino, holder.who, {change.names.begin(), change.names.end()}});
  Recall recall{.ino = change.ino,
                .to = change.directory ? LeaseMode::kShared : LeaseMode::kNone,
                .names = {change.names.begin(), change.names.end()},
                .directory = change.directory};
  if (JoinRecall(holder.who, recall, id)) return;
  if (all || ++holder.recalls > kIdleRecalls) {
    recall.to = LeaseMode::kNone;
    recall.names.clear();
  }
  MakeRecall(holder.who, std::move(recall), now_nanos, id, recalled);
}

bool LeaseTable::JoinRecall(Who who, const Recall& recall, TicketId id) {
  for (const auto& [asked, number] : entries_[recall.ino].busy->recalls) {
    if (asked != who) continue;
    OpenCall& open = clients_[who]->recalls.at(number);
    if (!Covers(open.recall, recall)) continue;
    open.waiting.push_back(id);
    return true;
  }
  return false;
}

void LeaseTable::MakeRecall(Who who, Recall recall, int64_t now_nanos, TicketId id,
                            std::vector<SessionId>& recalled) {
  Busy& busy = *entries_[recall.ino].busy;
  Client& client = *clients_[who];
  client.last_recall = ++last_recall_;
  busy.recalls.emplace_back(who, client.last_recall);
  client.recalls.emplace(
      client.last_recall,
      OpenCall{.recall = std::move(recall), .since_nanos = now_nanos, .waiting = {id}});
  if (std::find(recalled.begin(), recalled.end(), client.id) == recalled.end()) {
    recalled.push_back(client.id);
  }
}

bool LeaseTable::AwaitFree(Ino ino, TicketId& ticket) {
  MutexLock lock(&mu_);
  const auto it = entries_.find(ino);
  if (it == entries_.end() || it->second.busy == nullptr) return true;
  ticket = NewTicket();
  tickets_[ticket].waits = 1;
  it->second.busy->waiting.push_back(ticket);
  return false;
}

bool LeaseTable::TookOver(TicketId id) const {
  ReaderMutexLock lock(&mu_);
  const auto it = tickets_.find(id);
  return it != tickets_.end() && it->second.took_over;
}

std::vector<TicketId> LeaseTable::Drop(TicketId id) {
  std::vector<TicketId> ready;
  MutexLock lock(&mu_);
  const auto it = tickets_.find(id);
  if (it == tickets_.end()) return ready;
  const Ticket ticket = std::move(it->second);
  tickets_.erase(it);
  for (const Ino ino : ticket.reserved) {
    --entries_[ino].busy->reservations;
    Settle(ino, ready);
  }
  return ready;
}

void LeaseTable::Settle(Ino ino, std::vector<TicketId>& ready) {
  const auto it = entries_.find(ino);
  if (it == entries_.end()) return;
  Entry& entry = it->second;
  if (entry.busy != nullptr && entry.busy->reservations == 0 && entry.busy->recalls.empty()) {
    for (const TicketId waiting : entry.busy->waiting) {
      if (tickets_.erase(waiting) > 0) ready.push_back(waiting);
    }
    entry.busy.reset();
  }
  if (entry.busy == nullptr && entry.holders.empty()) entries_.erase(it);
}

}  // namespace tarn::state
