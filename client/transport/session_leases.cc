// A Session's part in leases: hears recalls, sends answers and returns, and knows until when the
// server is sure to keep what it has granted.
#include <algorithm>
#include <chrono>
#include <utility>

#include "client/transport/session.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/wire/lease.h"

namespace tarn::transport {
namespace {

// Returns are in no hurry; so many at once are worth a message of their own.
constexpr size_t kReturnsWorthSaying = 256;
constexpr std::chrono::seconds kSayTimeout{5};

}  // namespace

void Session::SetLeaseHolder(LeaseHolder* holder) {
  WriterMutexLock lock(&holder_mu_);
  holder_ = holder;
}

void Session::Heard(int64_t nanos) {
  heard_nanos_ = std::max(heard_nanos_, nanos);
  valid_until_nanos_.store(heard_nanos_ + lease_nanos_, std::memory_order_relaxed);
}

void Session::OnEvent(const v1::Event& event) {
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
    answers_.clear();
    returns_.clear();
  }
  ReaderMutexLock lock(&holder_mu_);
  if (holder_ != nullptr) holder_->OnLeasesLost(reclaim);
}

void Session::AnswerRecall(uint64_t event) {
  {
    MutexLock lock(&mu_);
    answers_.push_back(event);
  }
  SayLeases(/*now=*/true);
}

void Session::ReturnLease(LeaseReturn lease) {
  bool enough = false;
  {
    MutexLock lock(&mu_);
    returns_.push_back(lease);
    enough = returns_.size() >= kReturnsWorthSaying;
  }
  if (enough) SayLeases(/*now=*/true);
}

void Session::SayLeases(bool now) {
  struct Pending {
    std::unique_ptr<grpc::ClientContext> context = std::make_unique<grpc::ClientContext>();
    v1::ReturnLeasesRequest request;
    v1::ReturnLeasesReply reply;
  };
  auto pending = std::make_shared<Pending>();
  uint64_t generation = 0;
  {
    MutexLock lock(&mu_);
    const bool nothing = answers_.empty() && (returns_.empty() || !now);
    if (nothing || saying_leases_ || state_ != State::kUp) return;
    saying_leases_ = true;
    generation = generation_;
    ++attempts_;
    wire::Fill(id_, *pending->request.mutable_session());
    pending->request.set_epoch(epoch_);
    for (const uint64_t event : answers_) pending->request.add_recalls(event);
    for (const LeaseReturn& lease : returns_) wire::Fill(lease, *pending->request.add_leases());
    answers_.clear();
    returns_.clear();
  }
  pending->context->set_deadline(std::chrono::system_clock::now() + kSayTimeout);
  stub_->async()->ReturnLeases(
      pending->context.get(), &pending->request, &pending->reply,
      [self = shared_from_this(), pending, generation](const grpc::Status& status) {
        self->OnLeasesSaid(std::move(pending->request), generation, status);
        self->OnAttemptOver(std::move(pending->context));
      });
}

void Session::OnLeasesSaid(v1::ReturnLeasesRequest said, uint64_t generation,
                           const grpc::Status& status) {
  {
    MutexLock lock(&mu_);
    if (generation == generation_) saying_leases_ = false;
    // Said again when the connection is back; recalls are repeated by the server as well.
    if (!status.ok() && wire::SessionIdOf(said.session()) == id_) {
      for (const uint64_t event : said.recalls()) answers_.push_back(event);
      for (const v1::LeaseReturn& lease : said.leases()) {
        returns_.push_back(wire::LeaseReturnOf(lease));
      }
    }
  }
  if (!status.ok()) return Broken(generation);
  SayLeases(/*now=*/false);
}

}  // namespace tarn::transport
