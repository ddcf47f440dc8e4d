// The rules of POSIX as Linux has them, a verb a function (and a file), over MetaTxn.
//
// Contract of every rule:
// - It reads and writes through `txn` only, keeps nothing between calls, and may be run any number
//   of times on fresh transactions. On an error, kBlocked included, the transaction must be
//   dropped: it may hold part of the writes. On success it holds all of them, ready to commit.
// - Errors of MetaTxn (kBlocked, EIO) come up unchanged. An inode that a handle names but that is
//   not stored is ESTALE; a name whose inode is not stored is EIO (the store is corrupt).
// - Handles: only `ino` is looked at, the driver has checked the tags; a reply's handles have tag 0
//   for the driver to fill in. `open` ids mean nothing here; the driver keeps opens.
// - `caller`: uid 0 has every capability. Absent groups count as none, so a verdict of EACCES or
//   EPERM without them is provisional; where they decide what a change does, it is EPERM.
//   `read_only` turns what would mutate into EROFS, at the place in the order of checks where Linux
//   has it. The order is the kernel's: pjdfstest depends on it.
// - Directories have size and allocated kDirectoryBytes, nlink 2 + subdirectories (0 once removed);
//   symlinks have the target's length and allocated 0.
// - An inode that loses its last name is put with nlink 0 and linkable false, then PutOrphan.
//
// What the driver adds: the parent of a session's root, tags, opens and locks, StatFs and Fsync.
// Thread safety: pure functions; the transaction belongs to the calling thread.
#pragma once

#include "common/filesystem.h"
#include "common/posix/meta_txn.h"

namespace tarn::posix {

inline constexpr uint64_t kDirectoryBytes = 4096;

// ---- names and attributes ----------------------------------------------------------------------

// "." answers for any inode, ".." for directories (the root's is the root). Needs search permission
// but for ".". Errors: ENOTDIR, EACCES, ENAMETOOLONG, EINVAL ('/' or NUL), ENOENT.
Result<EntryReply> Lookup(MetaTxn& txn, const Caller& caller, const LookupArgs& args);

// Errors: ESTALE.
Result<AttrReply> GetAttr(MetaTxn& txn, const Caller& caller, const GetAttrArgs& args);

// `held`: what the descriptor args.open permits; kNone without one. A size through a writable
// descriptor needs no permission on the inode. Without anything to change it only reads.
// Errors: EISDIR / EINVAL (size of a directory / of another non-file), EFBIG, EBADF (size through a
// descriptor not open for writing), EROFS, EPERM, EACCES, EOPNOTSUPP (mode of a symlink).
Result<AttrReply> SetAttr(MetaTxn& txn, const Caller& caller, const SetAttrArgs& args,
                          OpenAccess held);

// Errors: EINVAL (not a symlink).
Result<ReadLinkReply> ReadLink(MetaTxn& txn, const Caller& caller, const ReadLinkArgs& args);

// `mask` as access(2), for the caller's ids. Errors: EINVAL, EROFS, EACCES.
Status Access(MetaTxn& txn, const Caller& caller, const AccessArgs& args);

// `held`: kRead or more if the session has the directory open for reading (permission was checked
// then), else read permission is checked now. With `plus` and without search permission entries
// come without attributes. Errors: ENOTDIR, EACCES, ENOENT (a removed directory).
Result<ReadDirReply> ReadDir(MetaTxn& txn, const Caller& caller, const ReadDirArgs& args,
                             OpenAccess held);

// ---- making ------------------------------------------------------------------------------------
// Errors of all that make a name: ENOTDIR, EACCES, ENAMETOOLONG, EEXIST, EROFS, ENOENT (empty name
// or removed directory), EINVAL ('/' or NUL in the name).

// Further errors: EPERM (a device, not root; a directory), EINVAL (a symlink or unknown type).
Result<EntryReply> MakeNode(MetaTxn& txn, const Caller& caller, const MakeNodeArgs& args);
// Further errors: EMLINK.
Result<EntryReply> MakeDir(MetaTxn& txn, const Caller& caller, const MakeDirArgs& args);
// Further errors: ENOENT (empty target), ENAMETOOLONG (target), EINVAL (NUL in the target).
Result<EntryReply> SymLink(MetaTxn& txn, const Caller& caller, const SymLinkArgs& args);
// Further errors: EPERM (a directory), ENOENT (no name left and none allowed), EMLINK, EXDEV.
Result<EntryReply> Link(MetaTxn& txn, const Caller& caller, const LinkArgs& args);

// ---- opening; the driver then pins the inode under args.open
// -------------------------------------

// Permission, then truncation. Errors: ELOOP (a symlink), EISDIR (a directory for writing), EROFS,
// EACCES.
Result<OpenReply> Open(MetaTxn& txn, const Caller& caller, const OpenArgs& args);
// Errors: of making a name (EEXIST with `exclusive` only) and, where the name exists, of Open;
// EISDIR for any directory.
Result<CreateReply> Create(MetaTxn& txn, const Caller& caller, const CreateArgs& args);
// The inode is an orphan from the start. Errors: ENOTDIR, EROFS, ENOENT (removed directory),
// EACCES.
Result<CreateReply> CreateTmp(MetaTxn& txn, const Caller& caller, const CreateTmpArgs& args);

// ---- removing and moving
// -------------------------------------------------------------------------

// Errors: ENOTDIR, EACCES, EROFS, ENAMETOOLONG, ENOENT, EPERM (sticky), EISDIR.
Status Unlink(MetaTxn& txn, const Caller& caller, const UnlinkArgs& args);
// Errors: as Unlink, but ENOTDIR for EISDIR; ENOTEMPTY, EINVAL (".").
Status RemoveDir(MetaTxn& txn, const Caller& caller, const RemoveDirArgs& args);
// Walks the real ancestors of both directories where a directory moves between them.
// Errors: ENOTDIR, EACCES, EBUSY (dots), EROFS, ENAMETOOLONG, ENOENT, EEXIST (NOREPLACE), EINVAL
// (into itself), ENOTEMPTY, EPERM (sticky), EISDIR, EMLINK, EXDEV.
Status Rename(MetaTxn& txn, const Caller& caller, const RenameArgs& args);

// ---- extended attributes and ACLs
// ---------------------------------------------------------------- Names: user.*, trusted.*,
// security.*, system.posix_acl_access and system.posix_acl_default. Errors of all: ERANGE (name
// empty or over 255 bytes), EINVAL (prefix alone, NUL), EOPNOTSUPP (another namespace), EACCES.
// ACLs follow the mode and the mode them; the value is Linux's own (version 2). A minimal access
// ACL is not stored.

// Errors: ENODATA.
Result<GetXattrReply> GetXattr(MetaTxn& txn, const Caller& caller, const GetXattrArgs& args);
// Errors: EROFS, EPERM, EEXIST, ENODATA, E2BIG (value), ENOSPC (all of the inode), EINVAL (an ACL
// that is none).
Status SetXattr(MetaTxn& txn, const Caller& caller, const SetXattrArgs& args);
// What the caller may see: trusted.* for root only.
Result<ListXattrReply> ListXattr(MetaTxn& txn, const Caller& caller, const ListXattrArgs& args);
// Errors: EROFS, EPERM, ENODATA.
Status RemoveXattr(MetaTxn& txn, const Caller& caller, const RemoveXattrArgs& args);

// ---- contents
// ------------------------------------------------------------------------------------ Contents are
// not in MetaTxn, so these rules decide and do the attributes, and the driver moves the bytes in
// the same transaction. The driver has checked the descriptor (EBADF).

// Read: plan = PrepareRead; data = txn.ReadData(plan.inode, plan.offset, plan.size).
struct ReadPlan {
  Inode inode;
  uint64_t offset = 0;
  size_t size = 0;  // cut at the end of the file; 0: nothing to read
};
// Errors: EISDIR, EINVAL (other types).
Result<ReadPlan> PrepareRead(MetaTxn& txn, const Caller& caller, const ReadArgs& args);

// Whether a read at `now` should be recorded: relatime, or the first access of the day. Whether and
// when to do so is the driver's choice; a read-only caller's reads are not recorded.
bool AccessIsDue(const Inode& inode, Timestamp now);
// Records it: atime, access_day; puts the inode. Neither ctime nor version changes.
void TouchAccess(MetaTxn& txn, Inode& inode);

// Write: plan = PrepareWrite; txn.WriteData(plan.inode, plan.offset, args.data);
// txn.PutInode(plan.inode); reply {plan.offset, plan.inode.attr}.
struct WritePlan {
  Inode inode;          // with new times, version and mode, but the old size, allocated and data
  uint64_t offset = 0;  // where the data goes: with `append` the size as it is now
};
// With no data the inode comes unchanged. suid, sgid and security.capability go as Linux has it.
// Errors: EISDIR, EINVAL (other types), EROFS, EFBIG (all or nothing).
Result<WritePlan> PrepareWrite(MetaTxn& txn, const Caller& caller, const WriteArgs& args);

// fallocate(2), complete: the driver only commits. Space is never reserved: allocating is extending
// with a hole. Errors: EINVAL (length 0), EROFS, EISDIR, ENODEV (other types), EFBIG.
Result<AttrReply> Allocate(MetaTxn& txn, const Caller& caller, const AllocateArgs& args);

// SEEK_DATA / SEEK_HOLE: the driver asks txn.FindData / FindHole of the inode returned (no data
// found is ENXIO). Errors: EINVAL (no regular file), ENXIO (at or beyond the end).
Result<Inode> PrepareSeek(MetaTxn& txn, const Caller& caller, const SeekArgs& args);

// copy_file_range: data = txn.ReadData(plan.source, args.source_offset, plan.length), and as Write
// with plan.target, in pieces if need be (then with a lower length). Length 0: nothing to do,
// commit nothing. Within one file source and target are the same inode: put only plan.target.
struct CopyPlan {
  Inode source;
  Inode target;         // as WritePlan::inode
  uint64_t length = 0;  // cut at the end of the source, at `max_bytes`, at the size limit
};
// Errors: EISDIR, EINVAL (other types, overlap within one file), EROFS, EFBIG.
Result<CopyPlan> PrepareCopy(MetaTxn& txn, const Caller& caller, const CopyRangeArgs& args,
                             uint64_t max_bytes);

}  // namespace tarn::posix
