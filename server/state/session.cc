#include "server/state/session.h"

#include <utility>

namespace tarn::state {

Session::Session(SessionFacts facts, Phase phase, int64_t now_nanos)
    : facts_(std::move(facts)),
      restored_(phase == Phase::kResumable),
      heard_nanos_(now_nanos),
      phase_(phase) {}

Session::Slot& Session::MakeSlot(uint32_t index) {
  if (index >= slots_.size()) slots_.resize(index + 1);
  if (slots_[index] == nullptr) slots_[index] = std::make_unique<Slot>();
  return *slots_[index];
}

Session::Slot* Session::FindSlot(RequestId id) {
  if (id.slot >= slots_.size() || slots_[id.slot] == nullptr) return nullptr;
  Slot* slot = slots_[id.slot].get();
  return slot->sequence == id.sequence ? slot : nullptr;
}

std::shared_ptr<PeerAccount> Session::peer() const {
  MutexLock lock(&mu_);
  return peer_;
}

void Session::SetPeer(std::shared_ptr<PeerAccount> peer) {
  MutexLock lock(&mu_);
  peer_ = std::move(peer);
}

void Session::Join(Slot& slot, Answer& answer, Answer& displaced) {
  if (slot.listeners.size() >= kListenersPerRequest) {
    displaced = std::move(slot.listeners.front());
    slot.listeners.erase(slot.listeners.begin());
    if (slot.lost > 0) --slot.lost;  // who came first is the first to be lost
  }
  slot.listeners.push_back(std::move(answer));
}

Session::Admitted Session::Begin(RequestId id, RequestKind kind, Answer& answer) {
  Answer displaced;
  Admitted admitted;
  {
    MutexLock lock(&mu_);
    admitted = BeginLocked(id, kind, answer, displaced);
  }
  if (displaced) std::move(displaced)(nullptr);
  return admitted;
}

Session::Admitted Session::BeginLocked(RequestId id, RequestKind kind, Answer& answer,
                                       Answer& displaced) {
  Admitted admitted;
  if (phase_ != Phase::kActive) {
    admitted.verdict = Admission::kNotNow;
    return admitted;
  }
  if (id.slot >= kSlotsPerSession + kWaitSlotsPerSession || id.sequence == 0) return admitted;
  Slot& slot = MakeSlot(id.slot);
  const bool first = slot.state == SlotState::kUnknown;
  if (first && restored_) {
    admitted.maybe_replay = true;
    Run(slot, id, kind, answer, admitted);
  } else if (id.sequence == slot.sequence) {
    const bool keeps = slot.state == SlotState::kDone && slot.mutates;
    if ((keeps || slot.state == SlotState::kRunning) && slot.verb != kind.verb) return admitted;
    if (slot.state == SlotState::kRunning) {
      Join(slot, answer, displaced);
      admitted.verdict = Admission::kJoined;
    } else if (keeps) {
      admitted.reply = slot.reply;
      admitted.verdict = Admission::kReplay;
    } else {
      Run(slot, id, kind, answer, admitted);
    }
  } else if (id.sequence == slot.sequence + 1 && slot.state != SlotState::kRunning) {
    Run(slot, id, kind, answer, admitted);
  }
  return admitted;
}

void Session::Run(Slot& slot, RequestId id, RequestKind kind, Answer& answer,
                  Admitted& admitted) {
  slot.state = SlotState::kRunning;
  slot.mutates = kind.mutates;
  slot.verb = kind.verb;
  slot.dropped = false;
  slot.lost = 0;
  slot.sequence = id.sequence;
  slot.reply = Bytes();
  slot.listeners.push_back(std::move(answer));
  if (kind.waits) {
    slot.cancellation = std::make_shared<Cancellation>();
    if (slot.cancelled == id.sequence) slot.cancellation->Cancel();  // no handler yet: sets a flag
    admitted.cancellation = slot.cancellation;
  }
  ++running_;
  admitted.verdict = Admission::kRun;
}

void Session::Finish(RequestId id, const Bytes& reply, bool interrupted) {
  Conclude(id, &reply, interrupted);
}

void Session::Drop(RequestId id) { Conclude(id, nullptr, /*interrupted=*/false); }

void Session::Conclude(RequestId id, const Bytes* reply, bool interrupted) {
  absl::InlinedVector<Answer, 1> listeners;
  absl::AnyInvocable<void() &&> drained;
  bool dropped = false;
  {
    MutexLock lock(&mu_);
    Slot& slot = *slots_[id.slot];
    dropped = reply == nullptr ||
              (slot.dropped && interrupted && slot.cancelled != id.sequence);
    slot.state = dropped ? SlotState::kIdle : SlotState::kDone;
    if (slot.mutates && !dropped) slot.reply = *reply;
    slot.cancellation.reset();
    listeners.swap(slot.listeners);
    if (--running_ == 0) drained = std::move(drained_);
  }
  for (Answer& answer : listeners) std::move(answer)(dropped ? nullptr : reply);
  if (drained) std::move(drained)();
}

void Session::Leave(RequestId id) {
  std::shared_ptr<Cancellation> cancellation;
  {
    MutexLock lock(&mu_);
    Slot* slot = FindSlot(id);
    if (slot == nullptr || slot->state != SlotState::kRunning) return;
    if (++slot->lost < slot->listeners.size()) return;
    slot->dropped = true;
    cancellation = slot->cancellation;
  }
  if (cancellation != nullptr) cancellation->Cancel();
}

void Session::Cancel(RequestId id) {
  std::shared_ptr<Cancellation> cancellation;
  {
    MutexLock lock(&mu_);
    if (phase_ == Phase::kEnded || id.slot >= kSlotsPerSession + kWaitSlotsPerSession) return;
    Slot* slot = FindSlot(id);
    if (slot != nullptr && slot->state == SlotState::kRunning) {
      cancellation = slot->cancellation;
    }
    // Kept also for a request that runs: it may be dropped and come again.
    MakeSlot(id.slot).cancelled = id.sequence;
  }
  if (cancellation != nullptr) cancellation->Cancel();
}

void Session::DropWaiting() {
  std::vector<std::shared_ptr<Cancellation>> cancellations;
  {
    MutexLock lock(&mu_);
    for (const std::unique_ptr<Slot>& slot : slots_) {
      if (slot == nullptr || slot->cancellation == nullptr) continue;
      slot->dropped = true;
      cancellations.push_back(slot->cancellation);
    }
  }
  for (const auto& cancellation : cancellations) cancellation->Cancel();
}

Session::Phase Session::phase() const {
  MutexLock lock(&mu_);
  return phase_;
}

bool Session::Advance(Phase from, Phase to) {
  MutexLock lock(&mu_);
  if (phase_ != from) return false;
  phase_ = to;
  return true;
}

Session::Phase Session::End(absl::AnyInvocable<void() &&> drained) {
  Phase before;
  {
    MutexLock lock(&mu_);
    before = std::exchange(phase_, Phase::kEnded);
    if (before == Phase::kEnded) return before;
    ended_.store(true);
    if (running_ > 0) drained_ = std::move(drained);
  }
  if (drained) std::move(drained)();
  DropWaiting();
  return before;
}

size_t Session::running() const {
  MutexLock lock(&mu_);
  return running_;
}

}  // namespace tarn::state
