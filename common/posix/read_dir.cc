#include <algorithm>

#include "common/limits.h"
#include "common/posix/permissions.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {
namespace {

constexpr uint64_t kDotCookie = 1, kDotDotCookie = 2;

// About what an entry takes on its way, beside its name.
constexpr size_t kEntryBytes = 24;
constexpr size_t kAttributeBytes = 128;

size_t Cost(const DirEntry& entry) {
  return entry.name.size() + kEntryBytes + (entry.entry.has_value() ? kAttributeBytes : 0);
}

struct Page {
  ReadDirReply reply;
  size_t bytes = 0;

  void Add(DirEntry entry) {
    bytes += Cost(entry);
    reply.entries.push_back(std::move(entry));
  }
};

Result<DirEntry> Describe(MetaTxn& txn, NamedDentry& named, bool with_attributes) {
  DirEntry entry{std::move(named.name), named.dentry.ino, named.dentry.type, named.cookie, {}};
  if (with_attributes) {
    // One name that leads nowhere must not hide all others.
    ASSIGN_OR_RETURN(std::optional<Inode> inode, txn.GetInode(named.dentry.ino));
    if (inode.has_value()) entry.entry = MakeEntry(*inode);
  }
  return entry;
}

}  // namespace

Result<ReadDirReply> ReadDir(MetaTxn& txn, const Caller& caller, const ReadDirArgs& args,
                             OpenAccess held) {
  ASSIGN_OR_RETURN(Inode dir, GetInode(txn, args.dir));
  if (dir.attr.type != FileType::kDirectory) return Errno::kENOTDIR;
  if (!CanRead(held)) RETURN_IF_ERROR(CheckPermission(txn, caller, dir, kMayRead));
  if (dir.attr.nlink == 0) return Errno::kENOENT;
  bool with_attributes = args.plus;
  if (with_attributes) {
    Status search = CheckPermission(txn, caller, dir, kMayExecute);
    if (search.code() == Errno::kEACCES) {
      with_attributes = false;
    } else {
      RETURN_IF_ERROR(search);
    }
  }

  const size_t limit = std::min<size_t>(args.max_bytes, kReadDirMaxBytes);
  Page page;
  auto full = [&] { return !page.reply.entries.empty() && page.bytes >= limit; };
  uint64_t after = args.cookie;
  if (after < kDotCookie) {
    DirEntry dot{".", dir.attr.ino, FileType::kDirectory, kDotCookie, {}};
    if (with_attributes) dot.entry = MakeEntry(dir);
    page.Add(std::move(dot));
    after = kDotCookie;
  }
  if (after < kDotDotCookie && !full()) {
    page.Add({"..", dir.parent, FileType::kDirectory, kDotDotCookie, {}});
    after = kDotDotCookie;
  }
  while (!full()) {
    size_t room = (limit - std::min(limit, page.bytes)) / (with_attributes ? 4 : 1);
    ASSIGN_OR_RETURN(std::vector<NamedDentry> names, txn.ListDentries(dir.attr.ino, after, room));
    if (names.empty()) {
      page.reply.end = true;
      break;
    }
    for (NamedDentry& named : names) {
      // A page never ends between equal cookies: the next one would start behind them all.
      if (full() && named.cookie != after) return std::move(page.reply);
      after = named.cookie;
      ASSIGN_OR_RETURN(DirEntry entry, Describe(txn, named, with_attributes));
      page.Add(std::move(entry));
    }
  }
  return std::move(page.reply);
}

}  // namespace tarn::posix
