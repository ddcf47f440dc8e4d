// CachedFs's verbs that look at directories.
#include <utility>

#include "client/cache/cached_fs_inl.h"
#include "common/posix/permissions.h"

namespace tarn::cache {
namespace {

constexpr uint32_t kFollowingBytes = 32 * 1024;  // of a reply: some two hundred names

}  // namespace

// Whoever has listed a directory and now looks its names up mostly looks all of them up: `ls -l`,
// `find`, `du`, `git status`. The kernel asks for attributes at the beginning of a listing only. So
// one listing brings those of the names that follow, but where contents are wished for.
void CachedFs::Lookup(const Caller& caller, LookupArgs args, Done<EntryReply> done) {
  const std::optional<ReadDirArgs> listing = ListingFrom(caller, args);
  if (!listing.has_value()) return LookupNow(caller, std::move(args), std::move(done));
  Ask<verbs::ReadDir>(
      caller, *listing,
      [this, caller, args, done = std::move(done)](const Result<ReadDirReply>& result) mutable {
        if (result.code() == Errno::kEINTR) return std::move(done)(Errno::kEINTR);
        LookupNow(caller, std::move(args), std::move(done));
      },
      [this, listing = *listing](const Table::Learnable& learnable,
                                 const Result<ReadDirReply>& result)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { LearnListing(learnable, listing, result); });
}

std::optional<ReadDirArgs> CachedFs::ListingFrom(const Caller& caller, const LookupArgs& args) {
  if (!Valid()) return std::nullopt;
  MutexLock lock(&mu_);
  const auto cookie = table_.NoteLookup(args.dir.ino, args.name);
  if (!cookie.has_value() || !Owns(args.dir) || forecast_.Of(args).size > 0) return std::nullopt;
  CacheTxn txn(table_, clock_.Now());
  const AccessArgs list{.inode = args.dir, .mask = posix::kMayRead};
  if (!posix::Access(txn, caller, list).ok()) return std::nullopt;
  return ReadDirArgs{
      .dir = args.dir, .cookie = *cookie, .max_bytes = kFollowingBytes, .plus = true};
}

void CachedFs::LookupNow(const Caller& caller, LookupArgs args, Done<EntryReply> done) {
  const bool dots = args.name == "." || args.name == "..";
  Serve<verbs::Lookup>(caller, args, std::move(done), posix::Lookup,
                       [this, dots, dir = args.dir.ino, name = args.name](
                           const Table::Learnable& learnable, const Result<EntryReply>& result)
                           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
                             if (result.ok()) LearnEntry(learnable, *result);
                             if (result.ok()) forecast_.NoteLookup(result->attr);
                             if (dots || !Contains(learnable, dir)) return;
                             if (result.ok()) {
                               table_.LearnName(dir, name, {result->handle.ino, result->attr.type});
                             } else if (result.code() == Errno::kENOENT) {
                               table_.LearnName(dir, name, Dentry{});
                             }
                           });
}

void CachedFs::ReadDir(const Caller& caller, ReadDirArgs args, Done<ReadDirReply> done) {
  Serve<verbs::ReadDir>(
      caller, args, std::move(done),
      [this](CacheTxn& txn, const Caller& who, const ReadDirArgs& what) -> Result<ReadDirReply> {
        const bool open = lazy_.IsOpen(what.dir.ino);
        Result<ReadDirReply> reply =
            posix::ReadDir(txn, who, what, open ? OpenAccess::kRead : OpenAccess::kNone);
        // Whether it is open at the server is not known here, so only it may refuse.
        if (!reply.ok()) return Errno::kBlocked;
        for (const DirEntry& entry : reply->entries) {
          if (entry.ino == kNoIno) return Errno::kBlocked;  // ".." is not known
        }
        return reply;
      },
      [this, args](const Table::Learnable& learnable, const Result<ReadDirReply>& result)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { LearnListing(learnable, args, result); });
}

void CachedFs::LearnListing(const Table::Learnable& learnable, const ReadDirArgs& args,
                            const Result<ReadDirReply>& result) {
  if (!result.ok()) return;
  for (const DirEntry& entry : result->entries) {
    if (entry.entry.has_value()) LearnEntry(learnable, *entry.entry);
  }
  if (Contains(learnable, args.dir.ino)) table_.LearnListing(args, *result);
}

}  // namespace tarn::cache
