// Write-behind: data of files that this client holds exclusively, acknowledged and told the server
// later.
//
// Of each file there is one generation under way at most: its pieces are sent at once, side by
// side, and what is put meanwhile is the next one. So nothing overtakes what it lies over. A
// generation is sent when it is old or large enough, or when somebody waits for it: whoever is
// about to show or change the file elsewhere than here (FlushThen).
//
// Whether a write may be put here at all is its owner's business (CachedFs): it must hold the
// file's exclusive lease at that very moment.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "client/cache/dirty_data.h"
#include "client/cache/late_errors.h"
#include "common/clock.h"
#include "common/filesystem.h"
#include "common/limits.h"
#include "common/sync.h"

namespace tarn::cache {

struct WriteBehindOptions {
  size_t max_bytes = 64 << 20;       // of all files
  size_t max_file_bytes = 16 << 20;  // below what a recall's deadline lets be told
  size_t send_at_bytes = 1 << 20;    // of a file: sent at once
  int64_t delay_nanos = kSecondNanos;
};

// One write, as it was acknowledged.
struct PutWrite {
  Handle inode;
  OpenId open{};
  Caller caller;  // without cancellation and news; its session: the one that holds the lease
  uint64_t offset = 0;
  Timestamp made;
  uint64_t size_before = 0;  // of the file
  Bytes data;
};

// Thread safety: safe. Lock order: mu_ is a leaf; `Ends` and continuations run outside it.
// Lifetime: FlushAllThen first, for what is not told then is lost; then Stop, and all answers must
// have come before it goes.
class WriteBehind {
 public:
  using Then = absl::AnyInvocable<void() &&>;
  // What it needs of its owner.
  struct Ends {
    // Tells the server; the answer must come, in the end.
    std::function<void(const Caller&, WriteArgs, Done<WriteReply>)> send;
    // A generation has ended, with these attributes at the server, or has `failed`: what was
    // written through these opens is lost. The file is still dirty; HasFresh says whether more is
    // to come.
    std::function<void(const Attr& attr)> told;
    std::function<void(Ino, const Error& failed, const std::vector<OpenId>& opens)> failed;
  };

  WriteBehind(Clock& clock, const WriteBehindOptions& options, Ends ends);
  ~WriteBehind();
  // Sends nothing by itself any more. Idempotent.
  void Stop();

  // False: no room, nothing was put; FlushAllThen makes some. Sends nothing, so that it may be
  // called under its owner's lock; SendIfLarge is for afterwards.
  bool Put(PutWrite write);
  void SendIfLarge(Ino ino);
  bool IsDirty(Ino ino) const;
  // Something was put that is not being sent yet.
  bool HasFresh(Ino ino) const;
  // Nothing is dirty: costs one load.
  bool empty() const { return bytes_.load(std::memory_order_acquire) == 0; }

  enum class Overlap { kNone, kSome, kAll };
  // How much of a range is here; of kAll, the bytes.
  Overlap Look(Ino ino, uint64_t offset, uint64_t n, Bytes& data) const;

  // How long the server thinks the file is, at least. REQUIRES: IsDirty.
  uint64_t ServerSize(Ino ino) const;

  // Runs `then` once all that was put so far has been told, or has failed; at once if all is.
  void FlushThen(Ino ino, Then then);
  void FlushAllThen(Then then);
  std::vector<Handle> Dirty() const;
  // What is dirty, for people: "2 files, 5 KiB"; empty: nothing.
  std::string Summary() const;

 private:
  struct Waiter {
    uint64_t generation = 0;  // runs when that one has ended
    Then then;
  };
  struct File {
    DirtyData fresh;
    DirtyData sending;
    uint64_t generation = 0;  // of `sending`, or the last one sent
    size_t unanswered = 0;
    uint64_t server_size = 0;
    int64_t since_nanos = 0;                       // when the oldest of `fresh` was put
    PutWrite last;                                 // the newest of `fresh`, without data
    absl::InlinedVector<OpenId, 2> opens;          // that `fresh` was written through
    absl::InlinedVector<OpenId, 2> sending_opens;  // likewise
    Attr attr;                                     // the newest of the generation's answers
    std::optional<Error> error;
    std::vector<Waiter> waiting;
  };
  // A generation that is about to be sent, outside the lock.
  struct Sending {
    Ino ino = kNoIno;
    PutWrite like;
    std::vector<DirtyData::Piece> pieces;
  };

  // Nullopt: nothing to send, or one is under way.
  std::optional<Sending> Begin(Ino ino, File& file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Send(Sending sending) ABSL_LOCKS_EXCLUDED(mu_);
  void OnAnswer(Ino ino, const Result<WriteReply>& result) ABSL_LOCKS_EXCLUDED(mu_);
  // Sends what is old, until the end.
  void Run();

  Clock& clock_;
  const WriteBehindOptions options_;
  const Ends ends_;
  std::atomic<size_t> bytes_ = 0;  // fresh and being sent
  mutable Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<Ino, std::unique_ptr<File>> files_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // last
};

}  // namespace tarn::cache
