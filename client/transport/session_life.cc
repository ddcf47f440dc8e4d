// The life of a Session: Hello, coming back, keeping alive, Goodbye. All but Connect and Close runs
// on the session's own thread.
#include <sys/random.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/random/random.h"
#include "client/transport/session.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/timed_wait.h"

namespace tarn::transport {
namespace {

constexpr absl::Duration kBackoffMin = absl::Milliseconds(50);
constexpr absl::Duration kBackoffMax = absl::Seconds(2);
constexpr int64_t kGoodbyeNanos = 2 * kSecondNanos;
constexpr int64_t kHeldBackNanos = kSecondNanos / 20;  // until what had no room is sent again

std::string RandomNonce() {
  std::string nonce(16, '\0');
  if (getrandom(nonce.data(), nonce.size(), 0) < 0) LogError("getrandom failed");
  return nonce;
}

Error HelloError(const v1::HelloReply& reply) {
  const Errno code = IsValidErrno(reply.error()) ? static_cast<Errno>(reply.error()) : Errno::kEIO;
  return Error(code, reply.message());
}

}  // namespace

Session::Session(const ConnectOptions& options, const std::string& target)
    : options_(options),
      channels_(std::make_unique<Channels>(target)),
      stub_(v1::Session::NewStub(channels_->session())),
      patience_nanos_(kHelloNanos),
      backoff_(kBackoffMin),
      backoff_max_(kBackoffMax) {}

Session::~Session() { Close(); }

Status Session::Connect() {
  const int64_t deadline = MonotonicNanos() + options_.connect_timeout_nanos;
  nonce_ = RandomNonce();
  while (true) {
    v1::HelloReply reply;
    const int64_t left = std::max<int64_t>(deadline - MonotonicNanos(), 1);
    const grpc::Status status = SayHello(reply, std::min(left, kHelloNanos));
    if (status.ok() && reply.error() != 0) return HelloError(reply);
    if (status.ok()) {
      MutexLock lock(&mu_);
      RETURN_IF_ERROR(wire::Take(reply.root_attr(), info_.root.attr));
      info_.root.handle = wire::HandleOf(reply.root());
      info_.hash_key = {reply.hash_key0(), reply.hash_key1()};
      info_.block_bytes = reply.block_bytes();
      info_.file_system_id = reply.file_system_id();
      info_.read_only = reply.read_only();
      info_.leases = options_.leases && (reply.features() & v1::FEATURE_LEASES) != 0;
      Adopt(reply);
      break;
    }
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE &&
        status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) {
      return Error(Errno::kEOPNOTSUPP,
                   "the server at " + options_.server + " refuses: " + status.error_message());
    }
    if (MonotonicNanos() + absl::ToInt64Nanoseconds(backoff_) >= deadline) {
      return Error(Errno::kETIMEDOUT,
                   "cannot reach a server at " + options_.server + " (" + status.error_message() +
                       "): check the address, that tarnd runs there and listens on it, and that "
                       "no firewall is between");
    }
    Backoff();
  }
  TellSession();
  GoUp();
  thread_ = std::thread([this] { Run(); });
  return Ok();
}

grpc::Status Session::SayHello(v1::HelloReply& reply, int64_t timeout_nanos) {
  v1::HelloRequest request;
  request.set_version(kProtocolVersion);
  request.set_file_system(options_.file_system);
  request.set_directory(options_.directory);
  request.set_nonce(nonce_);
  request.set_client_name(options_.client_name);
  request.set_read_only(options_.read_only);
  if (options_.leases) request.set_features(v1::FEATURE_LEASES);
  {
    MutexLock lock(&mu_);
    if (id_ != SessionId{} && !abandon_) wire::Fill(id_, *request.mutable_previous());
    if (id_ == SessionId{} && !options_.replaced_session.empty()) {
      request.set_replace(request.mutable_previous()->ParseFromString(options_.replaced_session));
    }
  }
  channels_->ConnectNow();
  hello_sent_nanos_ = SystemClock().BootNanos();
  return AskServer(timeout_nanos, [&](grpc::ClientContext* context, auto done) {
    stub_->async()->Hello(context, &request, &reply, std::move(done));
  });
}

void Session::Adopt(const v1::HelloReply& reply) {
  if (held_.unsynced().NoteIncarnation(reply.incarnation())) {
    LogWarning("{} has lost power: what was not synced may be lost", options_.server);
  }
  id_ = wire::SessionIdOf(reply.session());
  epoch_ = reply.epoch();
  // The server counts from when it heard us, we from when we spoke; what is left is for the work of
  // emptying caches.
  const auto lifetime = static_cast<int64_t>(
      std::clamp<uint64_t>(reply.lifetime_ns(), kSessionLifetimeSecondsMin * kSecondNanos,
                           kSessionLifetimeSecondsMax * kSecondNanos));
  lease_nanos_ = lifetime * 2 / 3;
  heartbeat_nanos_ = std::min(lifetime / 3, kHeartbeatNanos);
  // A heartbeat that fails, and the first attempts to come back, end before what is cached does.
  patience_nanos_ = std::min(lifetime / 6, kHelloNanos);
  backoff_max_ = std::min(absl::Nanoseconds(lifetime / 12), kBackoffMax);
  if (reply.resumed()) return;
  abandon_ = false;
  const uint32_t total = std::clamp(reply.slots(), 2u, kSlotsPerSession + kWaitSlotsPerSession);
  ordinary_slots_ = total > kSlotsPerSession ? kSlotsPerSession : total - total / 2;
  slots_.clear();
  slots_.resize(total);
  for (std::vector<uint32_t>& list : free_) list.clear();
  for (uint32_t slot = total; slot-- > 0;) free_[slot >= ordinary_slots_].push_back(slot);
}

void Session::Run() {
  while (true) {
    bool down = false;
    bool fruitful = false;
    {
      MutexLock lock(&mu_);
      const auto not_up = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return state_ != State::kUp; };
      int64_t due = heard_nanos_ + heartbeat_nanos_ - SystemClock().BootNanos();
      if (held_back_) due = std::min(due, kHeldBackNanos);
      AwaitFor(mu_, absl::Condition(&not_up),
               absl::Nanoseconds(std::clamp<int64_t>(due, 0, kSecondNanos)));
      if (state_ == State::kClosed) break;
      down = state_ == State::kDown;
      fruitful = fruitful_;
    }
    if (down) {
      // A connection that came to nothing is not replaced at once.
      if (fruitful) backoff_ = kBackoffMin;
      if (!fruitful) Backoff();
      Reconnect();
    } else {
      SayLeases(/*now=*/true);
      SayEnded();
      SendHeldBack();
      MendEvents();
      if (HeartbeatIsDue()) Heartbeat();
    }
  }
  events_.reset();
}

bool Session::HeartbeatIsDue() {
  MutexLock lock(&mu_);
  return SystemClock().BootNanos() >= heard_nanos_ + heartbeat_nanos_;
}

void Session::Reconnect() {
  LogWarning("connection to {} lost: reconnecting", options_.server);
  bool restore = false;
  nonce_ = RandomNonce();
  while (!TryReconnect(restore)) {
    if (SystemClock().BootNanos() >= valid_until_nanos()) LoseLeases(/*reclaim=*/false);
    Backoff();
    MutexLock lock(&mu_);
    if (state_ == State::kClosed) return;
  }
  LogInfo("connection to {} restored", options_.server);
}

bool Session::TryReconnect(bool& restore) {
  v1::HelloReply reply;
  // While caches may have to be emptied in time, no attempt lasts long.
  const grpc::Status status = SayHello(reply, leases_lost_ ? kHelloNanos : patience_nanos_);
  if (!status.ok() || reply.error() != 0) {
    LogWarning("still no session: {}", status.ok() ? reply.message() : status.error_message());
    return false;
  }
  const bool lost = !reply.resumed();
  if (lost || reply.reclaim()) {
    restore = true;
    RecallInFlight();
    LoseLeases(/*reclaim=*/true);
  }
  if (lost) {
    LogWarning("the server at {} has given the session up: a new one was opened", options_.server);
    held_.LoseLocks();
    Requeue(reply.replies_kept());
    nonce_ = RandomNonce();
  }
  {
    MutexLock lock(&mu_);
    if (state_ == State::kClosed) return false;
    if (lost) written_.clear();
    Adopt(reply);
  }
  if (lost) TellSession();
  if (restore && !Reclaim(reply.reclaim())) return false;
  GoUp();
  return true;
}

void Session::GoUp() {
  events_.reset();
  channels_->ConnectNow();
  channels_->OnStreams(&CallStream::Renew);
  Calls to_send;
  Calls to_cancel;
  Calls foreign;
  uint64_t generation = 0;
  {
    MutexLock lock(&mu_);
    if (state_ == State::kClosed) return;
    state_ = State::kUp;
    generation = ++generation_;
    fruitful_ = false;
    Heard(hello_sent_nanos_);
    saying_leases_ = false;
    held_back_ = false;
    // The new stream says what is open, whatever was missed before.
    event_seen_ = event_told_;
    event_missed_nanos_ = 0;
    for (const Slot& slot : slots_) {
      if (slot.call == nullptr || slot.call->state != Call::State::kUnanswered) continue;
      PrepareAttempt(*slot.call);
      to_send.push_back(slot.call);
      if (slot.call->cancel_wanted && slot.call->waits) to_cancel.push_back(slot.call);
    }
    for (auto& queue : queues_) {
      const auto of_another = [this](const std::shared_ptr<Call>& call)
                                  ABSL_SHARED_LOCKS_REQUIRED(mu_) {
                                    return IsOfAnother(*call) || IsThroughLost(*call);
                                  };
      std::copy_if(queue.begin(), queue.end(), std::back_inserter(foreign), of_another);
      queue.erase(std::remove_if(queue.begin(), queue.end(), of_another), queue.end());
    }
    std::erase_if(foreign, [](const auto& call) { return std::exchange(call->answered, true); });
    for (const bool waits : {false, true}) {
      while (std::shared_ptr<Call> call = AssignNext(waits)) to_send.push_back(std::move(call));
    }
  }
  leases_lost_ = false;
  OpenEvents(generation);
  SayLeases(/*now=*/true);
  FailAll(foreign, Error(Errno::kEIO, "the session that it was for is over"));
  for (const std::shared_ptr<Call>& call : to_cancel) SendCancel(call);
  for (const std::shared_ptr<Call>& call : to_send) Send(call);
}

void Session::SendHeldBack() {
  Calls to_send;
  {
    MutexLock lock(&mu_);
    if (state_ != State::kUp || !std::exchange(held_back_, false)) return;
    for (const Slot& slot : slots_) {
      if (slot.call == nullptr || slot.call->state != Call::State::kUnanswered) continue;
      PrepareAttempt(*slot.call);
      to_send.push_back(slot.call);
    }
  }
  for (const std::shared_ptr<Call>& call : to_send) Send(call);
}

void Session::Heartbeat() {
  v1::HeartbeatRequest request;
  v1::HeartbeatReply reply;
  uint64_t generation = 0;
  {
    MutexLock lock(&mu_);
    generation = generation_;
    wire::Fill(id_, *request.mutable_session());
    request.set_epoch(epoch_);
  }
  const int64_t sent = SystemClock().BootNanos();
  const grpc::Status status =
      AskServer(patience_nanos_, [&](grpc::ClientContext* context, auto done) {
        stub_->async()->Heartbeat(context, &request, &reply, std::move(done));
      });
  if (!status.ok()) return Broken(generation);
  MutexLock lock(&mu_);
  fruitful_ = true;
  Heard(sent);
  ToldOfEvent(reply.last_event());
}

void Session::Broken(uint64_t generation) {
  Calls interrupted;
  {
    MutexLock lock(&mu_);
    BrokenLocked(generation);
    if (state_ == State::kDown) interrupted = TakeCancelled();
  }
  FailAll(interrupted, Errno::kEINTR);
}

void Session::BrokenLocked(uint64_t generation) {
  if (state_ != State::kUp || generation != generation_) return;
  state_ = State::kDown;
  down_nanos_ = SystemClock().BootNanos();
  overdue_nanos_ = down_nanos_;  // to be looked at by the thread
}

Session::Calls Session::TakeCancelled() {
  Calls cancelled;
  for (const Slot& slot : slots_) {
    if (slot.call == nullptr || !slot.call->cancel_wanted) continue;
    if (!std::exchange(slot.call->answered, true)) cancelled.push_back(slot.call);
  }
  return cancelled;
}

void Session::Backoff() {
  absl::BitGen random;
  const absl::Duration delay = backoff_ * absl::Uniform(random, 0.8, 1.2);
  backoff_ = std::min(backoff_ * 2, backoff_max_);
  const auto closed = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return state_ == State::kClosed; };
  AwaitPatiently(closed, delay);
}

// No call is kept: what it was asked with would be kept with it.
void Session::Close() {
  Calls failed, answered;
  bool was_up = false;
  {
    MutexLock lock(&mu_);
    if (state_ == State::kClosed) return;
    was_up = std::exchange(state_, State::kClosed) == State::kUp;
    for (auto& queue : queues_) {
      for (std::shared_ptr<Call>& call : queue) {
        (std::exchange(call->answered, true) ? answered : failed).push_back(std::move(call));
      }
      queue.clear();
    }
    for (Slot& slot : slots_) {
      if (slot.call == nullptr) continue;
      if (slot.call->state == Call::State::kInFlight) {
        if (slot.call->context != nullptr) slot.call->context->TryCancel();
      } else {
        const bool heard = std::exchange(slot.call->answered, true);
        (heard ? answered : failed).push_back(std::exchange(slot.call, nullptr));
      }
    }
  }
  FailAll(failed, Error(Errno::kEIO, "the session was closed"));
  failed.clear();
  answered.clear();
  channels_->OnStreams(&CallStream::Stop);
  {
    MutexLock lock(&mu_);
    const auto quiet = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return attempts_ == 0; };
    mu_.Await(absl::Condition(&quiet));
  }
  if (thread_.joinable()) thread_.join();
  events_.reset();
  if (was_up) SayGoodbye();
  stub_.reset();
  channels_.reset();
}

void Session::SayGoodbye() {
  v1::GoodbyeRequest request;
  v1::GoodbyeReply reply;
  {
    MutexLock lock(&mu_);
    wire::Fill(id_, *request.mutable_session());
    request.set_epoch(epoch_);
  }
  grpc::ClientContext context;
  SetDeadline(context, kGoodbyeNanos);
  if (stub_->Goodbye(&context, request, &reply).ok() && options_.on_session) {
    options_.on_session("");
  }
}

void Session::TellSession() {
  if (!options_.on_session) return;
  v1::SessionId id;
  {
    MutexLock lock(&mu_);
    wire::Fill(id_, id);
  }
  options_.on_session(id.SerializeAsString());
}

}  // namespace tarn::transport
