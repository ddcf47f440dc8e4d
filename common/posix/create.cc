#include "common/posix/names.h"
#include "common/posix/permissions.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {
namespace {

Result<CreateReply> OpenExisting(MetaTxn& txn, const Caller& caller, const CreateArgs& args,
                                 Ino ino) {
  if (args.exclusive) return Errno::kEEXIST;
  ASSIGN_OR_RETURN(Inode inode, GetNamedInode(txn, ino));
  if (inode.attr.type == FileType::kDirectory) return Errno::kEISDIR;
  OpenArgs open{
      .inode = {ino}, .open = args.open, .access = args.access, .truncate = args.truncate};
  RETURN_IF_ERROR(OpenInode(txn, caller, inode, open));
  return CreateReply{MakeEntry(inode), false};
}

}  // namespace

Result<CreateReply> Create(MetaTxn& txn, const Caller& caller, const CreateArgs& args) {
  ASSIGN_OR_RETURN(Inode dir, GetSearchableDir(txn, caller, args.dir));
  if (IsDots(args.name)) return Errno::kEISDIR;
  RETURN_IF_ERROR(CheckName(args.name));
  ASSIGN_OR_RETURN(std::optional<Dentry> existing, txn.GetDentry(dir.attr.ino, args.name));
  if (existing.has_value()) return OpenExisting(txn, caller, args, existing->ino);

  RETURN_IF_ERROR(CheckMake(txn, caller, dir));
  // No permission on the new inode is needed: its maker gets the access asked for.
  ASSIGN_OR_RETURN(Inode inode,
                   MakeInode(txn, caller, dir, {.mode = args.mode, .umask = args.umask}));
  AddName(txn, dir, args.name, inode);
  return CreateReply{MakeEntry(inode), true};
}

Result<CreateReply> CreateTmp(MetaTxn& txn, const Caller& caller, const CreateTmpArgs& args) {
  ASSIGN_OR_RETURN(Inode dir, GetSearchableDir(txn, caller, args.dir));
  RETURN_IF_ERROR(CheckMake(txn, caller, dir));
  ASSIGN_OR_RETURN(Inode inode,
                   MakeInode(txn, caller, dir, {.mode = args.mode, .umask = args.umask}));
  inode.attr.nlink = 0;
  inode.linkable = args.linkable;
  txn.PutInode(inode);
  txn.PutOrphan(inode.attr.ino);
  return CreateReply{MakeEntry(inode), true};
}

}  // namespace tarn::posix
