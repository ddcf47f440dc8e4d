// CachedFs under exclusive leases: writes that the server is told of later, and who must not see
// the file before it has been.
#include <algorithm>
#include <atomic>
#include <utility>

#include "client/cache/cached_fs_inl.h"
#include "client/cache/cached_fs_opens_inl.h"
#include "common/log.h"

namespace tarn::cache {
namespace {

constexpr uint64_t kPageBytes = 4096;

uint64_t PagesOf(uint64_t bytes) {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

// What the server will make of it, as far as can be told without its blocks: corrected when it is
// told.
void Extend(Attr& attr, uint64_t offset, uint64_t n) {
  attr.size = std::max(attr.size, offset + n);
  attr.allocated =
      std::max(attr.allocated, std::min(PagesOf(attr.size), attr.allocated + PagesOf(n)));
}

}  // namespace

WriteBehind::Ends CachedFs::WriteEnds() {
  return {.send = [this](const Caller& caller, WriteArgs args,
                         Done<WriteReply> done) {
            Through(caller, std::move(args), std::move(done), &CachedFs::TellNow);
          },
          .told = [this](const Attr& attr) { OnTold(attr); },
          .failed = [this](Ino ino, const Error& error,
                           const std::vector<OpenId>& opens) { OnWriteFailed(ino, error, opens); }};
}

void CachedFs::NoteTime(const LeaseNews& news) {
  if (news.server_time.ns == 0) return;
  server_offset_nanos_.store(news.server_time.ns - clock_.BootNanos(), std::memory_order_relaxed);
}

Timestamp CachedFs::ServerNow() const {
  return {clock_.BootNanos() + server_offset_nanos_.load(std::memory_order_relaxed)};
}

CachedFs::Local CachedFs::WriteLocally(const Caller& caller, WriteArgs& args,
                                       Result<WriteReply>& reply) {
  if (args.data.empty() || !Valid() || !CanWrite(AccessOf(args.open))) return Local::kNo;
  const SessionId session = remote_.session();
  const Ino ino = args.inode.ino;
  MutexLock lock(&mu_);
  table_.NoteUse(ino, clock_.BootNanos());
  if (!table_.MayWrite(ino) || !Owns(args.inode) || table_.Changing(ino)) return Local::kNo;
  const Attr before = table_.Find(ino)->attr;
  // Later than all that was seen of the file, however slow our notion of the server's clock.
  const Timestamp now{std::max(ServerNow().ns, before.ctime.ns + 1)};
  CacheTxn txn(table_, now);
  auto plan = posix::PrepareWrite(txn, caller, args);
  if (plan.code() == Errno::kBlocked) return Local::kNo;
  if (!plan.ok()) {
    reply = plan.error();
    return Local::kDone;
  }
  Attr& attr = plan->inode.attr;
  if (attr.mode != before.mode) return Local::kNo;  // the server drops privileges
  Extend(attr, plan->offset, args.data.size());
  PutWrite write{.inode = args.inode,
                 .open = args.open,
                 .caller = caller,
                 .offset = plan->offset,
                 .made = now,
                 .size_before = before.size,
                 .data = args.data};
  write.caller.cancellation = nullptr;  // of the write(2), which is over
  write.caller.session = session;
  if (!write_behind_.Put(std::move(write))) return Local::kNoRoom;
  table_.Replace(attr);
  if (flush_on_close_ == FlushOnClose::kSync) unsynced_.insert(ino);
  reply = WriteReply{.offset = plan->offset, .attr = attr};
  return Local::kDone;
}

OpenAccess CachedFs::AccessOf(OpenId open) const {
  if (const auto lazy = lazy_.AccessOf(open); lazy.has_value()) return *lazy;
  return remote_.AccessOf(open).value_or(OpenAccess::kNone);
}

bool CachedFs::TakeUnsynced(Ino ino) {
  MutexLock lock(&mu_);
  return unsynced_.erase(ino) > 0;
}

// Handed over under the gate: a recall that comes meanwhile waits until it is with the kernel, and
// then drops it there.
CachedFs::Overlap CachedFs::ReadWritten(const ReadArgs& args, Done<ReadReply>& done) {
  Overlap overlap = Overlap::kNone;
  const Ino ino = args.inode.ino;
  kernel_.HandOver([&] {
    ReadReply reply;
    {
      MutexLock lock(&mu_);
      if (!write_behind_.IsDirty(ino)) return;
      table_.NoteUse(ino, clock_.BootNanos());
      overlap = Overlap::kSome;
      const Node* node = table_.Peek(ino);
      if (!Valid() || !table_.MayWrite(ino) || node == nullptr || !node->has_attr) return;
      if (!CanRead(AccessOf(args.open))) return;  // the server says why not
      const uint64_t end = std::min(args.offset + args.size, node->attr.size);
      const uint64_t n = end > args.offset ? end - args.offset : 0;
      const Overlap here = write_behind_.Look(ino, args.offset, n, reply.data);
      // Where nothing was written the server knows, if the file is as long there.
      if (here == Overlap::kNone && n > 0 && write_behind_.ServerSize(ino) >= end) {
        overlap = Overlap::kNone;
      }
      if (n > 0 && here != Overlap::kAll) return;
      overlap = Overlap::kAll;
    }
    std::move(done)(std::move(reply));
  });
  return overlap;
}

void CachedFs::FlushThen(const Touched& touched, WriteBehind::Then then) {
  if (touched.unknown) return write_behind_.FlushAllThen(std::move(then));
  struct Countdown {
    std::atomic<size_t> left;
    WriteBehind::Then then;
  };
  auto countdown = std::make_shared<Countdown>();
  countdown->left = touched.inodes.size() + 1;
  countdown->then = std::move(then);
  const auto one_less = [countdown] {
    if (countdown->left.fetch_sub(1) == 1) std::move(countdown->then)();
  };
  for (const Ino ino : touched.inodes) write_behind_.FlushThen(ino, one_less);
  one_less();
}

void CachedFs::FlushAll() {
  Notification told;
  write_behind_.FlushAllThen([&told] { told.Notify(); });
  told.WaitForNotification();
}

void CachedFs::TellNow(const Caller& caller, WriteArgs args, Done<WriteReply> done) {
  uint64_t start = 0;
  {
    MutexLock lock(&mu_);
    table_.BeginChange(kFigures);
    start = table_.Start();
  }
  const Caller asking = WithNews(caller);
  remote_.Write(asking, std::move(args),
                [this, start, news = asking.leases,
                 done = std::move(done)](Result<WriteReply> result) mutable {
                  {
                    MutexLock lock(&mu_);
                    table_.Admit(*news, start);
                    table_.EndChange(kFigures);
                    table_.End(start);
                  }
                  NoteTime(*news);
                  std::move(done)(std::move(result));
                });
}

void CachedFs::OnTold(const Attr& attr) {
  bool differs = false;
  {
    MutexLock lock(&mu_);
    // Whatever a reply on its way says of the file is older.
    table_.Bar(attr.ino);
    const Node* node = table_.Peek(attr.ino);
    if (node == nullptr || !node->has_attr || write_behind_.HasFresh(attr.ino)) return;
    Attr ours = node->attr;
    ours.version = attr.version;
    differs = ours != attr;
    table_.Replace(attr);
  }
  if (!differs) return;
  workers_.Post([this, ino = attr.ino] {
    kernel_.Use([ino](KernelCache& kernel) { kernel.DropAttr(ino); });
  });
}

// What is lost must not be seen again: reads show the truth from now on.
void CachedFs::OnWriteFailed(Ino ino, const Error& error, const std::vector<OpenId>& opens) {
  LogError("what was written to inode {} is lost: {} {}", Raw(ino), ErrnoName(error.code),
           error.message);
  late_errors_.NoteFailure(ino, error.code);
  if (error.code == Errno::kEIO) {
    for (const OpenId open : opens) remote_.LoseOpen(open);
  }
  {
    MutexLock lock(&mu_);
    table_.Bar(ino);
    table_.DropAttr(ino);
  }
  workers_.Post([this, ino] {
    kernel_.Use([ino](KernelCache& kernel) { kernel.DropData(ino); });
  });
}

std::optional<Glimpse> CachedFs::LookAt(uint64_t event, Ino ino) {
  const Node* node = table_.Peek(ino);
  const bool ours = table_.MayWrite(ino) && node != nullptr && node->has_attr;
  if (!ours || !write_behind_.IsDirty(ino)) return std::nullopt;
  return Glimpse{event, node->attr.size, node->attr.mtime};
}

}  // namespace tarn::cache
