// CachedFs: a FileSystem that answers from what its leases cover, and asks a server for the rest.
//
// What it adds to RemoteFs: answers what only looks from a Table, by the rules of common/posix;
// learns from replies; keeps opens to itself until the server must know of them (lazy opens).
//
// A lazy open is registered at the server before a verb other than Read and Write works through it,
// before an own change that may take the right away, and before a recall of its inode is answered:
// so a file that is removed elsewhere stays, and a right once given is kept, as long as the lease.
//
// Contents come with attributes, where a Forecast wishes for them, and answer reads. Writes to a
// file under its exclusive lease are put into a WriteBehind and answered; before the server is
// asked about the file it is told of them, but for a glimpse.
//
// The order of a recall: a file in use is used until its slice ends (UseSlice) -> bar and forget
// (GiveUp) -> replies on their way to the kernel have arrived (Settle) -> lazy opens are
// registered, what was written is told -> the kernel has forgotten -> the answer. Steps that wait
// run on workers; one that is stuck behind a request of this mount is done again by force.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "client/cache/forecast.h"
#include "client/cache/handles.h"
#include "client/cache/kernel_link.h"
#include "client/cache/lazy_opens.h"
#include "client/cache/local_locks.h"
#include "client/cache/options.h"
#include "client/cache/table.h"
#include "client/cache/workers.h"
#include "client/transport/remote_fs.h"
#include "common/clock.h"
#include "common/sync.h"
#include "common/verbs.h"

namespace tarn::cache {

// Thread safety: safe. Verbs answer on the caller's thread or on one of the transport's.
// Lock order: mu_ is a leaf; the kernel's end, the transport and `done` are called outside it.
// Lifetime: below it `remote`, which it must outlive in use: Close the remote first, then destroy
// this. The KernelCache is taken away (SetKernel(nullptr)) before it goes.
class CachedFs final : public FileSystem, public Freshness, private transport::LeaseHolder {
 public:
  CachedFs(transport::RemoteFs& remote, Clock& clock, const CacheOptions& options = {});
  ~CachedFs() override;

  // Whose caches recalls must empty; null: nobody's.
  void SetKernel(KernelCache* kernel) { kernel_.Set(kernel); }
  // Returns when the server has been told all that was written, as long as that takes. Not from
  // within a completion.
  void FlushAll();
  std::string Unwritten() const { return write_behind_.Summary(); }  // what that waits for
  double Seconds() const override;
  bool IsFresh(const Attr& attr) const override;
  bool IsFresh(Ino dir, std::string_view name, Ino child) const override;
  Timestamp ServerNow() const override;
  void Forget(Ino ino) override;
#define TARN_DECLARE_VERB(verb, args, reply, mutates) \
  void verb(const Caller& caller, args arguments, Done<reply> done) override;
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB

 private:
  using Overlap = WriteBehind::Overlap;
  enum class Local { kDone, kNoRoom, kNo };
  struct RecallTask;
  struct Emptying;

  // Leases hold: what the table knows is true.
  bool Valid() const;
  Caller WithNews(const Caller& caller) const;
  // Whether the caller's handle is the one that the table knows; else the server must judge it.
  bool Owns(Handle handle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Answers V from the table by `rule`, or asks on; `learn(learnable, reply)` runs under mu_.
  template <class V, class Rule, class Learn>
  void Serve(const Caller& caller, typename V::Args args, Done<typename V::Reply> done, Rule rule,
             Learn learn);
  template <class V, class Learn>
  void Ask(const Caller& caller, typename V::Args args, Done<typename V::Reply> done, Learn learn);
  // Asks for a change; `learn` runs under mu_ if it succeeded.
  template <class V, class Learn>
  void Change(const Caller& caller, typename V::Args args, Touched touched,
              Done<typename V::Reply> done, Learn learn);
  template <class V, class Learn>
  void ChangeNow(const Caller& caller, typename V::Args args, Touched touched,
                 Done<typename V::Reply> done, Learn learn);
  template <class Reply>
  void ShowWritten(Reply& reply) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  template <class V>
  void Make(const Caller& caller, typename V::Args args, Done<EntryReply> done);
  template <class V>
  void Remove(const Caller& caller, typename V::Args args, Done<Unit> done);
  template <class V>
  void ChangeXattr(const Caller& caller, typename V::Args args, Done<Unit> done);
  void LookupNow(const Caller& caller, LookupArgs args, Done<EntryReply> done);
  // What to list instead, if it is one of several names that are looked up after a listing.
  std::optional<ReadDirArgs> ListingFrom(const Caller& caller, const LookupArgs& args);
  void ReadNow(const Caller& caller, ReadArgs args, Done<ReadReply> done);
  void WriteNow(const Caller& caller, WriteArgs args, Done<WriteReply> done);
  // True: answered with contents that came with the attributes.
  bool ReadPrefetched(const Caller& caller, const ReadArgs& args, Done<ReadReply>& done);
  // True: a recall of the inode has overtaken the reply.
  bool EndRead(uint64_t start, Ino ino, const LeaseNews& news);
  // Runs `go(done)` when the server knows of the open, or `done` with the error.
  template <class Reply, class Go>
  void WithOpen(const Caller& caller, OpenId open, Done<Reply> done, Go go);
  // Asks by `now` through an open: a lazy one stays so, if WithoutOpen, else it is registered.
  template <class Args, class Reply>
  void Through(const Caller& caller, Args args, Done<Reply> done,
               void (CachedFs::*now)(const Caller&, Args, Done<Reply>));
  // As whom a call may do it by an open of its own, under the lease; nullopt: it may not.
  std::optional<Caller> WithoutOpen(const Caller& caller, OpenId open, OpenAccess access) const;
  template <class V>
  void PassThrough(const Caller& caller, typename V::Args args, Done<typename V::Reply> done);

  // ---- writing.cc: under an exclusive lease ----
  WriteBehind::Ends WriteEnds();
  Local WriteLocally(const Caller& caller, WriteArgs& args, Result<WriteReply>& reply);
  // What is not told yet. kAll: answered; kSome: the server must be told first.
  Overlap ReadWritten(const ReadArgs& args, Done<ReadReply>& done);
  void FlushThen(const Touched& touched, WriteBehind::Then then);
  void TellNow(const Caller& caller, WriteArgs args, Done<WriteReply> done);
  void OnTold(const Attr& attr);
  void OnWriteFailed(Ino ino, const Error& error, const std::vector<OpenId>& opens);
  OpenAccess AccessOf(OpenId open) const;  // as far as is known here, else kNone
  void Close(const Caller& caller, const FlushArgs& args, Done<Unit> done);
  // With flush=sync: something of the inode was written and not synced since the last call.
  bool TakeUnsynced(Ino ino);
  void NoteTime(const LeaseNews& news);
  // Of what is being written, or nothing.
  std::optional<Glimpse> LookAt(uint64_t event, Ino ino) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // ---- locking.cc: likewise ----
  enum class LockPlace { kHere, kHandOver, kServer };
  // The file's locks may be granted here.
  bool MayLock(Ino ino) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LockPlace LockLocally(const SetLockArgs& args, Result<Unit>& answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Tells the server of all of the file's locks that are here; then runs `then`.
  void HandOverLocks(Ino ino, WriteBehind::Then then);
  void EndHandOver(Ino ino);
  void DropLocks(const Caller& caller, const FlushArgs& args, Done<Unit> done);
  void DropLocksOf(Ino ino, OpenId open, WriteBehind::Then then);

  void LearnEntry(const Table::Learnable& learnable, const EntryReply& entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LearnListing(const Table::Learnable& learnable, const ReadDirArgs& args,
                    const Result<ReadDirReply>& result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TouchChild(Ino dir, const std::string& name, Touched& touched);
  // Leases on inodes that nobody here can name any more go back.
  void ReturnUnknown(const std::vector<Ino>& inos);
  // Leases on what was forgotten for want of room go back, once there are some together.
  void ReturnEvictedSoon(bool enough);
  void ReturnEvicted();

  // ---- recalls.cc ----
  void OnRecall(uint64_t event, Recall recall) override;
  void OnLeasesLost(bool reclaim) override;
  // A reply on its way may yet bring the file exclusively.
  bool IsTurnComing(Ino ino) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool HasSlice(Ino ino) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Nothing of what is recalled is used or learnt any more.
  void GiveUp(RecallTask& task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Gives up when the file is not in use, at the latest at the end of its slice; then answers.
  void UseSlice(const std::shared_ptr<RecallTask>& task);
  void Answer(const std::shared_ptr<RecallTask>& task);
  void RegisterThenEmpty(const std::shared_ptr<RecallTask>& task, KernelCache::Manner manner);
  void EmptyByForce(const std::shared_ptr<RecallTask>& task);
  void EmptyKernel(const std::shared_ptr<RecallTask>& task, KernelCache::Manner manner);
  // Of everything, by a pass over all inodes; another is begun if it is not over in time.
  void EmptyAll(const std::shared_ptr<Emptying>& emptying, absl::Duration patience);

  transport::RemoteFs& remote_;
  Clock& clock_;
  const bool ignore_recalls_;
  const FlushOnClose flush_on_close_;
  const size_t return_batch_;
  std::atomic<bool> returning_ = false;
  LateErrors late_errors_;
  std::atomic<int64_t> server_offset_nanos_;  // of its wall clock to our CLOCK_BOOTTIME
  LazyOpens lazy_;
  mutable Mutex mu_;
  Table table_ ABSL_GUARDED_BY(mu_);
  Forecast forecast_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_set<OpenId> accessed_ ABSL_GUARDED_BY(mu_);  // lazy ones, by ReadPrefetched
  absl::flat_hash_set<Ino> unsynced_ ABSL_GUARDED_BY(mu_);
  LocalLocks locks_ ABSL_GUARDED_BY(mu_);

  KernelLink kernel_;
  Workers workers_;           // they use what is above
  Workers emptiers_;          // likewise, for EmptyAll: behind nothing that waits for the server
  WriteBehind write_behind_;  // last: it uses them
};

}  // namespace tarn::cache
