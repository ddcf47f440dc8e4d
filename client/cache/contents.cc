// CachedFs's verbs that work through an open: contents, and its end.
#include <algorithm>
#include <utility>

#include "client/cache/cached_fs_inl.h"
#include "client/cache/cached_fs_opens_inl.h"
#include "common/posix/permissions.h"

namespace tarn::cache {

// What a write drops depends on who writes.
std::optional<Caller> CachedFs::WithoutOpen(const Caller& caller, OpenId open,
                                            OpenAccess access) const {
  if (!Valid()) return std::nullopt;
  std::optional<Caller> opener = lazy_.OpenerOf(open, access);
  if (!opener.has_value() || opener->uid != caller.uid || opener->gid != caller.gid) {
    return std::nullopt;
  }
  Caller alone = caller;
  alone.groups = std::move(opener->groups);
  return alone;
}

// What was written through an open is told through it.
void CachedFs::Release(const Caller& caller, ReleaseArgs args, Done<Unit> done) {
  {
    MutexLock lock(&mu_);
    args.accessed = accessed_.erase(args.open) > 0;
  }
  write_behind_.FlushThen(args.inode.ino, [this, caller, args, done = std::move(done)]() mutable {
    auto then = [this, caller, args, done = std::move(done)]() mutable {
      if (lazy_.Drop(args.open)) {
        if (!args.accessed) return std::move(done)(Unit{});
        return remote_.Release(caller, args, std::move(done));
      }
      lazy_.Register(args.open, [this, caller, args,
                                 done = std::move(done)](const Status&) mutable {
        remote_.Release(caller, args, std::move(done));
      });
    };
    DropLocksOf(args.inode.ino, args.open, std::move(then));
  });
}

void CachedFs::Flush(const Caller& caller, FlushArgs args, Done<Unit> done) {
  {
    MutexLock lock(&mu_);
    table_.EndSlice(args.inode.ino);
  }
  if (flush_on_close_ == FlushOnClose::kFsync) return Close(caller, args, std::move(done));
  write_behind_.FlushThen(args.inode.ino, [this, caller, args, done = std::move(done)]() mutable {
    if (flush_on_close_ != FlushOnClose::kSync || !TakeUnsynced(args.inode.ino)) {
      return Close(caller, args, std::move(done));
    }
    remote_.Fsync(caller, {.inode = args.inode},
                  [this, caller, args, done = std::move(done)](Result<Unit> synced) mutable {
                    if (!synced.ok()) late_errors_.NoteFailure(args.inode.ino, synced.code());
                    Close(caller, args, std::move(done));
                  });
  });
}

// The locks go in any case; the close tells of writes that failed.
void CachedFs::Close(const Caller& caller, const FlushArgs& args, Done<Unit> done) {
  const std::optional<Errno> failed = late_errors_.Take(args.inode.ino, args.open);
  if (!args.locks) {
    if (failed.has_value()) return std::move(done)(*failed);
    return std::move(done)(Unit{});
  }
  DropLocks(caller, args, [failed, done = std::move(done)](Result<Unit> result) mutable {
    if (failed.has_value()) result = *failed;
    std::move(done)(std::move(result));
  });
}

void CachedFs::Seek(const Caller& caller, SeekArgs args, Done<SeekReply> done) {
  write_behind_.FlushThen(
      args.inode.ino,
      UnlessCancelled(caller, std::move(done), [this, caller, args](Done<SeekReply> then) {
        PassThrough<verbs::Seek>(caller, args, std::move(then));
      }));
}

void CachedFs::Fsync(const Caller& caller, FsyncArgs args, Done<Unit> done) {
  auto then = UnlessCancelled(caller, std::move(done), [this, caller, args](Done<Unit> told) {
    const std::optional<Errno> failed = late_errors_.Take(args.inode.ino, args.open);
    if (failed.has_value()) return std::move(told)(*failed);
    remote_.Fsync(caller, args, [this, args, done = std::move(told)](Result<Unit> synced) mutable {
      if (synced.code() == Errno::kEIO) {  // for the others that have it open, too
        late_errors_.NoteFailure(args.inode.ino, Errno::kEIO);
        (void)late_errors_.Take(args.inode.ino, args.open);
      }
      std::move(done)(std::move(synced));
    });
  });
  // The root stands for all that this mount has acknowledged.
  if (args.inode == remote_.root().handle) return write_behind_.FlushAllThen(std::move(then));
  write_behind_.FlushThen(args.inode.ino, std::move(then));
}

// ---- contents ----------------------------------------------------------------------------------

void CachedFs::Read(const Caller& caller, ReadArgs args, Done<ReadReply> done) {
  if (!write_behind_.empty()) {
    const Overlap overlap = ReadWritten(args, done);
    if (overlap == Overlap::kAll) return;
    if (overlap == Overlap::kSome) {
      return write_behind_.FlushThen(
          args.inode.ino,
          UnlessCancelled(caller, std::move(done), [this, caller, args](Done<ReadReply> then) {
            Read(caller, args, std::move(then));
          }));
    }
  }
  if (ReadPrefetched(caller, args, done)) return;
  Through(caller, args, std::move(done), &CachedFs::ReadNow);
}

// Handed over as in ReadWritten.
bool CachedFs::ReadPrefetched(const Caller& caller, const ReadArgs& args, Done<ReadReply>& done) {
  const Ino ino = args.inode.ino;
  {
    MutexLock lock(&mu_);
    const Node* const node = table_.Peek(ino);
    uint64_t size = args.size;
    if (node != nullptr && node->has_attr) {
      size = std::min(size, node->attr.size - std::min(args.offset, node->attr.size));
    }
    forecast_.NoteRead(ino, args.offset, size);
    if (!table_.HasContents(ino)) return false;
  }
  if (!WithoutOpen(caller, args.open, OpenAccess::kRead).has_value()) return false;
  bool answered = false;
  kernel_.HandOver([&] {
    ReadReply reply;
    {
      MutexLock lock(&mu_);
      if (!Valid() || !Owns(args.inode) || write_behind_.IsDirty(ino)) return;
      std::optional<Bytes> data = table_.ReadContents(ino, args.offset, args.size);
      if (!data.has_value()) return;
      table_.NoteUse(ino, clock_.BootNanos());
      accessed_.insert(args.open);
      reply.data = *std::move(data);
    }
    answered = true;
    std::move(done)(std::move(reply));
  });
  return answered;
}

// Data that a recall overtook must not reach the kernel, which would keep it: asked again, it is
// what the lease after that recall covers. Whether it did is asked when nothing can come between
// the question and the handing over.
void CachedFs::ReadNow(const Caller& caller, ReadArgs arguments, Done<ReadReply> done) {
  uint64_t start = 0;
  {
    MutexLock lock(&mu_);
    table_.NoteUse(arguments.inode.ino, clock_.BootNanos());
    start = table_.Start();
  }
  const Caller asking = WithNews(caller);
  remote_.Read(asking, arguments,
               [this, start, caller, args = arguments, news = asking.leases,
                done = std::move(done)](Result<ReadReply> result) mutable {
                 NoteTime(*news);
                 if (!result.ok()) {
                   EndRead(start, args.inode.ino, *news);
                   return std::move(done)(std::move(result));
                 }
                 bool overtaken = false;
                 kernel_.HandOver([&] {
                   overtaken = EndRead(start, args.inode.ino, *news) && !args.direct;
                   if (!overtaken) std::move(done)(std::move(result));
                 });
                 if (overtaken) ReadNow(caller, args, std::move(done));
               });
}

bool CachedFs::EndRead(uint64_t start, Ino ino, const LeaseNews& news) {
  MutexLock lock(&mu_);
  table_.Admit(news, start);
  const bool overtaken = table_.RecalledSince(ino, start);
  table_.End(start);
  return overtaken;
}

void CachedFs::Write(const Caller& caller, WriteArgs arguments, Done<WriteReply> done) {
  Result<WriteReply> reply = Errno::kBlocked;
  switch (WriteLocally(caller, arguments, reply)) {
    case Local::kDone:
      write_behind_.SendIfLarge(arguments.inode.ino);
      // What was handed to the kernel of before has arrived there.
      kernel_.Settle();
      return std::move(done)(std::move(reply));
    case Local::kNoRoom:
      return write_behind_.FlushAllThen(UnlessCancelled(
          caller, std::move(done),
          [this, caller, args = std::move(arguments)](Done<WriteReply> then) mutable {
            Write(caller, std::move(args), std::move(then));
          }));
    case Local::kNo:
      break;
  }
  Through(caller, std::move(arguments), std::move(done), &CachedFs::WriteNow);
}

void CachedFs::WriteNow(const Caller& caller, WriteArgs args, Done<WriteReply> done) {
  const Handle inode = args.inode;
  const bool drops = !args.mapped;
  Change<verbs::Write>(
      caller, std::move(args), {.inodes = {inode.ino}}, std::move(done),
      [this, inode, drops](const Table::Learnable& learnable, const WriteReply& reply)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            LearnEntry(learnable, {inode, reply.attr});
            if (!drops || !Contains(learnable, inode.ino)) return;
            table_.LearnXattr(inode.ino, std::string(posix::kCapabilityName), std::nullopt);
          });
}

void CachedFs::Allocate(const Caller& caller, AllocateArgs args, Done<AttrReply> done) {
  WithOpen<AttrReply>(
      caller, args.open, std::move(done), [this, caller, args](Done<AttrReply> known) {
        Change<verbs::Allocate>(
            caller, args, {.inodes = {args.inode.ino}}, std::move(known),
            [this, inode = args.inode](const Table::Learnable& learnable, const AttrReply& reply)
                ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
                  LearnEntry(learnable, {inode, reply.attr});
                });
      });
}

// The target's own writes are told as before any change of it, the source's here.
void CachedFs::CopyRange(const Caller& caller, CopyRangeArgs args, Done<CopyRangeReply> done) {
  using Then = Done<CopyRangeReply>;
  auto copy = [this, caller, args](Then known) {
    Change<verbs::CopyRange>(caller, args, {.inodes = {args.target.ino}}, std::move(known),
                             kNothing);
  };
  auto know_target = [this, caller, args, copy](Then known) {
    WithOpen(caller, args.target_open, std::move(known), copy);
  };
  auto know_source = [this, caller, args, know_target](Then told) {
    WithOpen(caller, args.source_open, std::move(told), know_target);
  };
  write_behind_.FlushThen(args.source.ino, UnlessCancelled(caller, std::move(done), know_source));
}

}  // namespace tarn::cache
