// Steps that several rules share: finding inodes and names, making and dropping them, and marking
// what changed. Their checks come in the kernel's order, which decides which error wins.
// Thread safety: pure functions; the transaction belongs to the calling thread.
#pragma once

#include <string_view>

#include "common/filesystem.h"
#include "common/posix/meta_txn.h"

namespace tarn::posix {

// The inode that a handle names. Errors: ESTALE, and of MetaTxn.
Result<Inode> GetInode(MetaTxn& txn, Handle handle);
// The inode that a stored name or parent names. Errors: EIO if it is missing, and of MetaTxn.
Result<Inode> GetNamedInode(MetaTxn& txn, Ino ino);
// A directory that the caller may search. Errors: ESTALE, ENOTDIR, EACCES.
Result<Inode> GetSearchableDir(MetaTxn& txn, const Caller& caller, Handle handle);

// A change of the inode (ctime, version) and one of its contents or names (mtime too).
void MarkChanged(MetaTxn& txn, Inode& inode);
void MarkModified(MetaTxn& txn, Inode& inode);

// An xattr, or an ACL, of an inode that the caller puts afterwards.
void PutXattr(MetaTxn& txn, Inode& inode, std::string_view name, std::string_view value);

EntryReply MakeEntry(const Inode& inode);

// May `caller` make a name in `dir`, in which it is known not to exist?
// Errors: EROFS, ENOENT (removed directory), EACCES.
Status CheckMake(MetaTxn& txn, const Caller& caller, const Inode& dir);
// The directory in which `name` may be made, all checks done. Errors: as rules.h says of making.
Result<Inode> GetDirForNew(MetaTxn& txn, const Caller& caller, Handle handle,
                           std::string_view name);

// The name in a directory from which names are to be taken. Errors: ENOENT, ENAMETOOLONG, EINVAL.
Result<Dentry> FindName(MetaTxn& txn, const Inode& dir, std::string_view name);
// May `caller` take the name of `victim` out of `dir`, `as_directory` or as something else?
// Errors: EACCES, EPERM, ENOTDIR, EISDIR.
Status CheckRemove(MetaTxn& txn, const Caller& caller, const Inode& dir, const Inode& victim,
                   bool as_directory);
// Takes one link away from `inode`, the last one from a directory, and puts it; the name and the
// parent are the caller's to change.
void DropLink(MetaTxn& txn, Inode& inode);

// What a new inode is to be; the rest comes from the caller and the directory.
struct NewInode {
  FileType type = FileType::kRegular;
  uint32_t mode = 0;
  uint32_t umask = 0;
  uint64_t rdev = 0;
  std::string target;
};
// An inode with one link (a directory: two) as the caller makes it in `dir`: group and quota id
// inherited, default ACL applied, ACLs put. The inode itself is for the caller to put, perhaps by
// AddName. Errors: of MetaTxn.
Result<Inode> MakeInode(MetaTxn& txn, const Caller& caller, const Inode& dir, const NewInode& what);
// Puts the name, the inode and the directory, which it marks and, for a directory, links.
void AddName(MetaTxn& txn, Inode& dir, std::string_view name, Inode& inode);

// Opens what exists: permission, then truncation. Puts `inode` if it changed. Errors: as of Open.
Status OpenInode(MetaTxn& txn, const Caller& caller, Inode& inode, const OpenArgs& args);

}  // namespace tarn::posix
