// A Session's part in leases: hears recalls, sends answers and returns, and knows until when the
// server is sure to keep what it has granted.
#include <algorithm>
#include <utility>

#include "client/transport/session.h"
#include "common/clock.h"
#include "common/fault.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/wire/frame.h"
#include "common/wire/lease.h"

namespace tarn::transport {
namespace {

// Returns are in no hurry; so many at once are worth a message of their own.
constexpr size_t kReturnsWorthSaying = 256;
// A reply may overtake the event that it speaks of, but not by much.
constexpr int64_t kEventPatienceNanos = kSecondNanos;

}  // namespace

void Session::SetLeaseHolder(LeaseHolder* holder) {
  WriterMutexLock lock(&holder_mu_);
  holder_ = holder;
}

void Session::Heard(int64_t nanos) {
  heard_nanos_ = std::max(heard_nanos_, nanos);
  valid_until_nanos_.store(heard_nanos_ + lease_nanos_, std::memory_order_relaxed);
}

void Session::ToldOfEvent(uint64_t number) {
  event_told_ = std::max(event_told_, number);
  if (event_told_ > event_seen_ && event_missed_nanos_ == 0) {
    event_missed_nanos_ = SystemClock().BootNanos();
  }
}

void Session::OpenEvents(uint64_t generation) {
  events_.reset();
  v1::EventsRequest request;
  {
    MutexLock lock(&mu_);
    wire::Fill(id_, *request.mutable_session());
    request.set_epoch(epoch_);
  }
  events_ = std::make_unique<EventReader>(
      *stub_, request, [this](const v1::Event& event) { OnEvent(event); },
      [this, generation](const auto& status) {
        if (status.error_code() != grpc::StatusCode::UNIMPLEMENTED) Broken(generation);
      });
}

void Session::MendEvents() {
  uint64_t generation = 0;
  {
    MutexLock lock(&mu_);
    if (state_ != State::kUp || event_missed_nanos_ == 0) return;
    if (SystemClock().BootNanos() - event_missed_nanos_ < kEventPatienceNanos) return;
    LogWarning("event {} did not arrive: opening the stream again", event_told_);
    event_seen_ = event_told_;
    event_missed_nanos_ = 0;
    generation = generation_;
  }
  OpenEvents(generation);
}

void Session::OnEvent(const v1::Event& event) {
  {
    MutexLock lock(&mu_);
    event_seen_ = std::max(event_seen_, event.number());
    if (event_seen_ >= event_told_) event_missed_nanos_ = 0;
  }
  if (!event.has_recall()) return;  // unknown kinds are to be ignored
  Recall recall;
  if (Status read = wire::Take(event.recall(), recall); !read.ok()) {
    return LogError("unreadable recall: {}", read.error().message);
  }
  ReaderMutexLock lock(&holder_mu_);
  if (holder_ == nullptr) return AnswerRecall(event.number());
  holder_->OnRecall(event.number(), std::move(recall));
}

void Session::LoseLeases(bool reclaim) {
  if (std::exchange(leases_lost_, true) && !reclaim) return;
  {
    MutexLock lock(&mu_);
    to_say_ = {};
  }
  ReaderMutexLock lock(&holder_mu_);
  if (holder_ != nullptr) holder_->OnLeasesLost(reclaim);
}

void Session::AnswerRecall(uint64_t event) {
  (void)FaultHits(FaultPoint::kClientRecallAnswer);
  {
    MutexLock lock(&mu_);
    to_say_.recalls.push_back(event);
  }
  SayLeases(/*now=*/true);
}

void Session::AnswerGlimpse(const Glimpse& glimpse) {
  {
    MutexLock lock(&mu_);
    to_say_.glimpses.push_back(glimpse);
  }
  SayLeases(/*now=*/true);
}

SessionId Session::id() const {
  MutexLock lock(&mu_);
  return id_;
}

void Session::HoldWritten(Handle inode) {
  MutexLock lock(&mu_);
  written_.push_back(inode);
}

void Session::ReturnLease(LeaseReturn lease) {
  bool enough = false;
  {
    MutexLock lock(&mu_);
    to_say_.returns.push_back(lease);
    enough = to_say_.returns.size() >= kReturnsWorthSaying;
  }
  if (enough) SayLeases(/*now=*/true);
}

void Session::SayLeases(bool now) {
  v1::ReturnLeasesRequest request;
  uint64_t generation = 0;
  {
    MutexLock lock(&mu_);
    const bool nothing =
        to_say_.recalls.empty() && to_say_.glimpses.empty() && (to_say_.returns.empty() || !now);
    if (nothing || saying_leases_ || state_ != State::kUp) return;
    saying_leases_ = true;
    generation = generation_;
    ++attempts_;
    wire::Fill(id_, *request.mutable_session());
    request.set_epoch(epoch_);
    for (const uint64_t event : to_say_.recalls) request.add_recalls(event);
    for (const LeaseReturn& lease : to_say_.returns) wire::Fill(lease, *request.add_leases());
    for (const Glimpse& glimpse : to_say_.glimpses) wire::Fill(glimpse, *request.add_glimpses());
    to_say_ = {};
  }
  Bytes encoded = wire::Encode(request);
  channels_->Stream().Call(
      wire::kReturnLeasesPath, std::move(encoded),
      [self = shared_from_this(), said = std::move(request), generation](
          const grpc::Status& status, const Bytes& reply) mutable {
        self->OnLeasesSaid(std::move(said), generation, status);
        self->OnAttemptOver(nullptr);
      });
}

void Session::OnLeasesSaid(v1::ReturnLeasesRequest said, uint64_t generation,
                           const grpc::Status& status) {
  {
    MutexLock lock(&mu_);
    if (generation == generation_) saying_leases_ = false;
    // Said again when the connection is back; recalls are repeated by the server as well.
    if (!status.ok() && wire::SessionIdOf(said.session()) == id_) {
      for (const uint64_t event : said.recalls()) to_say_.recalls.push_back(event);
      for (const v1::LeaseReturn& lease : said.leases()) {
        to_say_.returns.push_back(wire::LeaseReturnOf(lease));
      }
    }
  }
  if (!status.ok()) return Broken(generation);
  SayLeases(/*now=*/false);
}

}  // namespace tarn::transport
