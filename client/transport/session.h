// The client's end of a session: slots, what is outstanding, the state of the connection, and the
// thread that says Hello, reclaims and keeps alive.
//
// Applications wait through any loss of connection or restart of the server: what was not answered
// is sent again under its slot and sequence, so it takes effect once. If the server has given the
// session up, a new one is opened by itself: opens are restored except those that lost a lock, and
// what was not answered is asked again, changes with what they were before (RequestHeader.former),
// so that they still take effect once. EIO meets what works through a lost open or was asked in the
// lost session's name only (Caller::session), and changes whose answers the server does not keep
// (HelloReply.replies_kept), or that eight sessions in a row have not answered.
//
// How a call ends early (its Cancellation): not sent yet, EINTR at once; a lock that waits is
// cancelled at the server, whose answer decides; anything else runs on, but while the server is
// away its maker gets EINTR at once, and the slot stays busy until the server has been heard. The
// same, with EIO, when the server is away for longer than Caller::patience_nanos (counted from when
// the call was made or the connection found to be lost, whatever is later). What lets go of an open
// or a lock is sent later in either case.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "client/transport/call.h"
#include "client/transport/channel.h"
#include "client/transport/event_reader.h"
#include "client/transport/held.h"
#include "client/transport/options.h"
#include "common/sync.h"
#include "proto/session.grpc.pb.h"

namespace tarn::transport {

// Thread safety: safe.
// Invariants: a slot has at most one call; a call with a slot is in flight or waits to be sent
// again; `in_flight_` counts the former.
// Lock order: holder_mu_, then mu_, which is a leaf (before Held's); calls are completed and sent
// outside both.
// Lifetime: shared, as cancellations and completions refer to it; Close ends it. The last reference
// to a channel must not go on one of gRPC's threads, which would then wait for itself: so Close
// drops the channels, and each attempt its context before it counts as over.
class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(const ConnectOptions& options, const std::string& target);
  ~Session();

  // Opens the session. Errors: ETIMEDOUT (unreachable), EOPNOTSUPP (the version does not fit),
  // those of Hello; each with a sentence.
  Status Connect();
  // Answers everything (EIO), says Goodbye. Not from within a completion. Idempotent.
  void Close();

  void Submit(std::shared_ptr<Call> call);

  const SessionInfo& info() const { return info_; }  // constant after Connect

  // RemoteFs says what they do.
  void SetLeaseHolder(LeaseHolder* holder) ABSL_LOCKS_EXCLUDED(holder_mu_);
  void AnswerRecall(uint64_t event);
  void ReturnLease(LeaseReturn lease);
  void HoldWritten(Handle inode) ABSL_LOCKS_EXCLUDED(mu_);
  void AnswerGlimpse(const Glimpse& glimpse);
  SessionId id() const ABSL_LOCKS_EXCLUDED(mu_);
  Held& held() { return held_; }
  void SayEnded();  // opens that have ended (Held::End), in a message of their own
  int64_t valid_until_nanos() const { return valid_until_nanos_.load(std::memory_order_relaxed); }

 private:
  enum class State : uint8_t { kDown, kUp, kClosed };
  struct Slot {
    uint64_t sequence = 0;  // of the last request that was answered or is under way
    std::shared_ptr<Call> call;
  };
  using Calls = std::vector<std::shared_ptr<Call>>;

  // ---- session.cc: calls ----
  void Assign(const std::shared_ptr<Call>& call, uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PrepareAttempt(Call& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Gives a free slot to the first in the queue; null: none.
  std::shared_ptr<Call> AssignNext(bool waits) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FreeSlot(Call& call, bool used) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Send(const std::shared_ptr<Call>& call);
  void OnStatus(const std::shared_ptr<Call>& call, const grpc::Status& status);
  void OnAnswer(const std::shared_ptr<Call>& call);
  void SyncIfMuchIsUnsynced();
  void OnRefusal(const std::shared_ptr<Call>& call, const grpc::Status& status);
  void OnNoAnswer(const std::shared_ptr<Call>& call, const grpc::Status& status);
  void Cancel(const std::shared_ptr<Call>& call);
  void SendCancel(const std::shared_ptr<Call>& call);
  // The last that is done of an rpc's completion.
  void OnAttemptOver(std::unique_ptr<grpc::ClientContext> context);
  static void FailAll(const Calls& calls, const Error& error);
  // The call may only be made in the name of a session that is over, or through an open so lost.
  bool IsOfAnother(const Call& call) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool IsThroughLost(const Call& call) const;

  // ---- session_patience.cc: what the thread waits for ----
  // Waits until `ready`, which is asked with mu_ held, or for `limit`; meanwhile fails the calls
  // that have waited for long enough.
  void AwaitPatiently(absl::FunctionRef<bool()> ready, absl::Duration limit)
      ABSL_LOCKS_EXCLUDED(mu_);
  Calls TakeOverdue(int64_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // One call of the thread's own, waited for; Close cuts it short.
  using Start = absl::FunctionRef<void(grpc::ClientContext*, std::function<void(grpc::Status)>)>;
  grpc::Status AskServer(int64_t timeout_nanos, Start start) ABSL_LOCKS_EXCLUDED(mu_);

  // ---- session_leases.cc ----
  void OnEvent(const v1::Event& event);
  // The server has sent events up to `number`: if they do not arrive soon, the stream has a gap.
  void ToldOfEvent(uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OpenEvents(uint64_t generation);  // the thread's, before it Connect's
  // Opens the stream of events again if it has a gap: what is still open is then said again.
  void MendEvents();
  // Tells the holder, if anything may be held.
  void LoseLeases(bool reclaim) ABSL_LOCKS_EXCLUDED(holder_mu_);
  // Sends what is to be said of leases, unless a message is under way. Answers go at once; returns
  // wait for company or for the session's thread (`now`).
  void SayLeases(bool now);
  void OnLeasesSaid(v1::ReturnLeasesRequest said, uint64_t generation, const grpc::Status& status);
  // The server was alive when what was sent at `nanos` arrived there.
  void Heard(int64_t nanos) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // ---- session_loss.cc: the thread's ----
  bool Reclaim(bool with_locks);  // tells a server without our state; false: no answer
  // After the previous session is lost: fails what cannot be asked again, queues what can.
  void Requeue(bool replies_kept) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends what is in flight, unanswered, so that `held_` says all that was ever granted.
  void RecallInFlight();

  // ---- session_life.cc: the thread ----
  void Run();
  void Reconnect();
  // One attempt of it. `restore`: what we hold must be told again; kept over attempts.
  bool TryReconnect(bool& restore);
  grpc::Status SayHello(v1::HelloReply& reply, int64_t timeout_nanos);
  void Adopt(const v1::HelloReply& reply) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void GoUp();
  void SendHeldBack();  // once more, what the server had no room for
  bool HeartbeatIsDue();
  void Heartbeat();
  void Broken(uint64_t generation);  // the connection of that generation is
  void BrokenLocked(uint64_t generation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SayGoodbye();
  void TellSession() ABSL_LOCKS_EXCLUDED(mu_);
  // Calls whose makers need not wait for the server's return, to be failed with EINTR.
  Calls TakeCancelled() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Backoff();  // waits before the next attempt, longer each time; not beyond Close

  const ConnectOptions options_;
  std::unique_ptr<Channels> channels_;         // until Close has waited for all attempts
  std::unique_ptr<v1::Session::Stub> stub_;  // likewise
  Held held_;
  SessionInfo info_;
  std::unique_ptr<EventReader> events_;  // the thread's
  int64_t hello_sent_nanos_ = 0;         // the thread's, before it: Connect's
  bool leases_lost_ = false;             // the thread's: nothing was heard since they were
  std::string nonce_;                    // the thread's: of the Hello being tried
  // The thread's, before it Connect's; follow from the session's lifetime.
  int64_t patience_nanos_;                // for an answer while something may be cached
  absl::Duration backoff_, backoff_max_;  // before the next attempt

  mutable Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kDown;
  uint64_t generation_ ABSL_GUARDED_BY(mu_) = 0;  // grows with every (re)connection
  bool abandon_ ABSL_GUARDED_BY(mu_) = false;     // do not resume: slots are out of step
  bool fruitful_ ABSL_GUARDED_BY(mu_) = false;    // something was answered in this generation
  int64_t down_nanos_ ABSL_GUARDED_BY(mu_) = 0;  // since then it is kDown
  int64_t overdue_nanos_ ABSL_GUARDED_BY(mu_) = INT64_MAX;  // when the next call will be, if kDown
  int64_t heard_nanos_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t heartbeat_nanos_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t lease_nanos_ ABSL_GUARDED_BY(mu_) = 0;  // what is heard is good for so long
  bool held_back_ ABSL_GUARDED_BY(mu_) = false;  // some call awaits room at the server
  uint64_t event_told_ ABSL_GUARDED_BY(mu_) = 0;  // the last that replies speak of
  uint64_t event_seen_ ABSL_GUARDED_BY(mu_) = 0;  // the last that arrived, or need not
  int64_t event_missed_nanos_ ABSL_GUARDED_BY(mu_) = 0;  // since when the former is ahead; 0: not
  LeaseAnswers to_say_ ABSL_GUARDED_BY(mu_);
  std::vector<Handle> written_ ABSL_GUARDED_BY(mu_);  // to be told in Reclaim
  bool saying_leases_ ABSL_GUARDED_BY(mu_) = false;
  SessionId id_ ABSL_GUARDED_BY(mu_);
  uint32_t epoch_ ABSL_GUARDED_BY(mu_) = 0;
  uint32_t ordinary_slots_ ABSL_GUARDED_BY(mu_) = 0;  // the rest are for calls that wait
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mu_);
  std::vector<uint32_t> free_[2] ABSL_GUARDED_BY(mu_);  // by Call::waits
  std::deque<std::shared_ptr<Call>> queues_[2] ABSL_GUARDED_BY(mu_);
  size_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  size_t attempts_ ABSL_GUARDED_BY(mu_) = 0;  // rpcs whose completion has not returned yet

  // Held shared while the holder is called, so that it can be taken away. Comes before mu_.
  Mutex holder_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  LeaseHolder* holder_ ABSL_GUARDED_BY(holder_mu_) = nullptr;
  std::atomic<int64_t> valid_until_nanos_ = 0;
  std::thread thread_;
};

}  // namespace tarn::transport
