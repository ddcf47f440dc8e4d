#include <algorithm>
#include <utility>

#include "client/cache/cached_fs_inl.h"
#include "common/limits.h"
#include "common/posix/permissions.h"

namespace tarn::cache {
namespace {

constexpr size_t kMaxWorkers = 64;
constexpr size_t kMaxEmptiers = 16;

}  // namespace

CachedFs::CachedFs(transport::RemoteFs& remote, Clock& clock, const CacheOptions& options)
    : remote_(remote),
      clock_(clock),
      ignore_recalls_(options.ignore_recalls),
      flush_on_close_(options.flush_on_close),
      return_batch_(options.return_batch),
      server_offset_nanos_(clock.Now().ns - clock.BootNanos()),
      lazy_(remote),
      table_(remote.info().hash_key, options.max_table_bytes, options.max_contents_bytes),
      workers_(kMaxWorkers),
      emptiers_(kMaxEmptiers),
      write_behind_(clock, options.write_behind, WriteEnds()) {
  remote_.SetLeaseHolder(this);
}

CachedFs::~CachedFs() {
  remote_.SetLeaseHolder(nullptr);
  write_behind_.Stop();
}

bool CachedFs::Valid() const {
  return clock_.BootNanos() < remote_.valid_until_nanos();
}

double CachedFs::Seconds() const {
  const int64_t left = remote_.valid_until_nanos() - clock_.BootNanos();
  return std::max(0.0, static_cast<double>(left) / kSecondNanos);
}

bool CachedFs::IsFresh(const Attr& attr) const {
  MutexLock lock(&mu_);
  const Node* node = table_.Peek(attr.ino);
  return node != nullptr && node->has_attr && node->attr.version == attr.version &&
         node->attr.ctime == attr.ctime && node->attr.size == attr.size;
}

bool CachedFs::IsFresh(Ino dir, std::string_view name, Ino child) const {
  MutexLock lock(&mu_);
  const Node* node = table_.Peek(dir);
  if (node == nullptr) return false;
  const std::optional<Dentry> dentry = table_.FindName(*node, name);
  return dentry.has_value() && dentry->ino == child;
}

void CachedFs::Forget(Ino ino) {
  // What is open lives on its lease, and what was written.
  if (lazy_.IsOpen(ino)) return;
  if (write_behind_.IsDirty(ino)) return write_behind_.FlushThen(ino, [this, ino] { Forget(ino); });
  {
    MutexLock lock(&mu_);
    if (locks_.InUse(ino)) return;
  }
  late_errors_.Forget(ino);
  std::optional<LeaseReturn> lease;
  {
    MutexLock lock(&mu_);
    lease = table_.TakeLease(ino);
  }
  if (lease.has_value()) remote_.ReturnLease(*lease);
}

Caller CachedFs::WithNews(const Caller& caller) const {
  Caller with_news = caller;
  with_news.leases = std::make_shared<LeaseNews>();
  return with_news;
}

bool CachedFs::Owns(Handle handle) {
  const Node* node = table_.Peek(handle.ino);
  return node != nullptr && node->handle == handle;
}

void CachedFs::LearnEntry(const Table::Learnable& learnable, const EntryReply& entry) {
  const Ino ino = entry.handle.ino;
  if (Contains(learnable, ino) && !write_behind_.IsDirty(ino))
    table_.Learn(entry.handle, entry.attr);
}

void CachedFs::TouchChild(Ino dir, const std::string& name, Touched& touched) {
  touched.inodes.push_back(dir);
  touched.names.emplace_back(dir, name);
  MutexLock lock(&mu_);
  const Node* node = table_.Peek(dir);
  const auto dentry = node == nullptr ? std::nullopt : table_.FindName(*node, name);
  if (!dentry.has_value()) touched.unknown = true;
  if (dentry.has_value() && dentry->ino != kNoIno) touched.inodes.push_back(dentry->ino);
}

void CachedFs::ReturnUnknown(const std::vector<Ino>& inos) {
  for (const Ino ino : inos) {
    bool known = false;
    kernel_.Use([&](KernelCache& kernel) { known = kernel.Knows(ino); });
    if (!known) Forget(ino);
  }
}

void CachedFs::ReturnEvictedSoon(bool enough) {
  if (!enough || returning_.exchange(true)) return;
  workers_.Post([this] {
    ReturnEvicted();
    returning_.store(false);
  });
}

// As a recall, but unasked: nobody waits for it.
void CachedFs::ReturnEvicted() {
  std::vector<LeaseReturn> leases;
  bool directories = false;
  {
    MutexLock lock(&mu_);
    for (const Table::Evicted& one : table_.TakeEvicted()) {
      const bool in_use = lazy_.IsOpen(one.ino) || write_behind_.IsDirty(one.ino) ||
                          locks_.InUse(one.ino);
      const auto lease = in_use ? std::nullopt : table_.TakeLease(one.ino);
      if (lease.has_value()) leases.push_back(*lease);
      directories |= lease.has_value() && one.directory;
    }
  }
  kernel_.Settle();
  kernel_.Use([&](KernelCache& kernel) {
    for (const LeaseReturn& lease : leases) kernel.DropData(lease.ino);
    if (directories) kernel.DropAllNames();
  });
  for (const LeaseReturn& lease : leases) remote_.ReturnLease(lease);
}

// ---- verbs that only look ----------------------------------------------------------------------

void CachedFs::GetAttr(const Caller& caller, GetAttrArgs args, Done<AttrReply> done) {
  Serve<verbs::GetAttr>(
      caller, args, std::move(done), posix::GetAttr,
      [this, inode = args.inode](const Table::Learnable& learnable, const Result<AttrReply>& result)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            if (result.ok()) LearnEntry(learnable, {inode, result->attr});
            forecast_.NoteAttr(inode.ino);
          });
}

void CachedFs::ReadLink(const Caller& caller, ReadLinkArgs args, Done<ReadLinkReply> done) {
  Serve<verbs::ReadLink>(
      caller, args, std::move(done),
      [](CacheTxn& txn, const Caller& who, const ReadLinkArgs& what) -> Result<ReadLinkReply> {
        ASSIGN_OR_RETURN(ReadLinkReply reply, posix::ReadLink(txn, who, what));
        if (reply.target.empty()) return Errno::kBlocked;  // not known: no target is empty
        return reply;
      },
      [this, ino = args.inode.ino](const Table::Learnable& learnable,
                                   const Result<ReadLinkReply>& result)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            if (result.ok() && Contains(learnable, ino)) table_.LearnTarget(ino, result->target);
          });
}

void CachedFs::Access(const Caller& caller, AccessArgs args, Done<Unit> done) {
  Serve<verbs::Access>(
      caller, args, std::move(done),
      [](CacheTxn& txn, const Caller& who, const AccessArgs& what) -> Result<Unit> {
        RETURN_IF_ERROR(posix::Access(txn, who, what));
        return Unit{};
      },
      kNothing);
}

// A capability that is there is not learnt: the rule of a write takes it away, at the server.
void CachedFs::GetXattr(const Caller& caller, GetXattrArgs args, Done<GetXattrReply> done) {
  // trusted.* is absent for all but root, whatever there is.
  const bool telling = caller.uid == 0 || !args.name.starts_with("trusted.");
  Serve<verbs::GetXattr>(
      caller, args, std::move(done), posix::GetXattr,
      [this, telling, ino = args.inode.ino, name = args.name](
          const Table::Learnable& learnable, const Result<GetXattrReply>& result)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            if (!Contains(learnable, ino)) return;
            if (result.ok() && name != posix::kCapabilityName) {
              table_.LearnXattr(ino, name, result->value);
            } else if (telling && result.code() == Errno::kENODATA) {
              table_.LearnXattr(ino, name, std::nullopt);
            }
          });
}

void CachedFs::ListXattr(const Caller& caller, ListXattrArgs args, Done<ListXattrReply> done) {
  const bool all = caller.uid == 0;  // trusted.* is for root alone
  Serve<verbs::ListXattr>(
      caller, args, std::move(done), posix::ListXattr,
      [this, all, ino = args.inode.ino](const Table::Learnable& learnable,
                                        const Result<ListXattrReply>& result)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            if (!all || !result.ok() || !Contains(learnable, ino)) return;
            table_.LearnXattrNames(ino, result->names);
          });
}

void CachedFs::StatFs(const Caller& caller, StatFsArgs args, Done<StatFsReply> done) {
  const int64_t asked = clock_.BootNanos();
  if (Valid() && write_behind_.empty()) {
    std::optional<StatFsReply> known;
    {
      MutexLock lock(&mu_);
      if (Owns(args.inode)) known = table_.Figures(asked);
    }
    if (known.has_value()) return std::move(done)(*known);
  }
  auto learn = [this, until = asked + kFiguresLeaseNanos](const Table::Learnable& learnable,
                                                          const Result<StatFsReply>& result)
                   ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
                     if (result.ok() && Contains(learnable, kFigures))
                       table_.LearnFigures(*result, until);
                   };
  write_behind_.FlushAllThen(
      UnlessCancelled(caller, std::move(done), [this, caller, args, learn](Done<StatFsReply> then) {
        Ask<verbs::StatFs>(caller, args, std::move(then), learn);
      }));
}

// ---- opens -------------------------------------------------------------------------------------

void CachedFs::Open(const Caller& caller, OpenArgs args, Done<OpenReply> done) {
  late_errors_.NoteOpen(args.open);
  if (args.truncate) {
    return Change<verbs::Open>(
        caller, args, {.inodes = {args.inode.ino}}, std::move(done),
        [this, inode = args.inode](const Table::Learnable& learnable, const OpenReply& reply)
            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { LearnEntry(learnable, {inode, reply.attr}); });
  }
  Serve<verbs::Open>(
      caller, args, std::move(done),
      [this](CacheTxn& txn, const Caller& who, const OpenArgs& what) -> Result<OpenReply> {
        ASSIGN_OR_RETURN(OpenReply reply, posix::Open(txn, who, what));
        lazy_.Add(who, what);  // under mu_, so that a recall finds it
        return reply;
      },
      [this, inode = args.inode](const Table::Learnable& learnable,
                                 const Result<OpenReply>& result)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            if (result.ok()) LearnEntry(learnable, {inode, result->attr});
          });
}

void CachedFs::Create(const Caller& caller, CreateArgs args, Done<CreateReply> done) {
  late_errors_.NoteOpen(args.open);
  Touched touched;
  TouchChild(args.dir.ino, args.name, touched);
  Change<verbs::Create>(
      caller, args, std::move(touched), std::move(done),
      [this, dir = args.dir.ino, name = args.name](const Table::Learnable& learnable,
                                                   const CreateReply& reply)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            LearnEntry(learnable, reply.entry);
            if (!Contains(learnable, dir)) return;
            table_.LearnName(dir, name, {reply.entry.handle.ino, reply.entry.attr.type});
          });
}

void CachedFs::CreateTmp(const Caller& caller, CreateTmpArgs args, Done<CreateReply> done) {
  late_errors_.NoteOpen(args.open);
  Change<verbs::CreateTmp>(
      caller, args, {}, std::move(done),
      [this](const Table::Learnable& learnable, const CreateReply& reply)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { LearnEntry(learnable, reply.entry); });
}

}  // namespace tarn::cache
