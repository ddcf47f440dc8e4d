#include "common/posix/names.h"
#include "common/posix/permissions.h"
#include "common/posix/rules.h"
#include "common/posix/steps.h"

namespace tarn::posix {
namespace {

bool IsDirectory(const Inode& inode) {
  return inode.attr.type == FileType::kDirectory;
}

// All that a rename is about. Within one directory `to` is `from`: one record, put once.
struct Move {
  Inode from;
  std::optional<Inode> other_dir;
  Inode source;
  std::optional<Inode> target;

  bool crosses() const { return other_dir.has_value(); }
  Inode& to() { return other_dir.has_value() ? *other_dir : from; }
  const Inode& to() const { return other_dir.has_value() ? *other_dir : from; }
};

// Whether `above` is `dir` or one of its ancestors, by the parents that directories record.
Result<bool> IsAtOrAbove(MetaTxn& txn, Ino above, const Inode& dir) {
  Ino at = dir.attr.ino;
  Ino parent = dir.parent;
  while (at != above) {
    if (at == parent) return false;  // the root
    at = parent;
    if (at == above) break;
    ASSIGN_OR_RETURN(Inode next, GetNamedInode(txn, at));
    parent = next.parent;
  }
  return true;
}

// Neither end may lie within the other.
Status CheckLoops(MetaTxn& txn, const RenameArgs& args, const Move& move) {
  if (!move.crosses()) return Ok();
  if (IsDirectory(move.source)) {
    ASSIGN_OR_RETURN(bool into_itself, IsAtOrAbove(txn, move.source.attr.ino, move.to()));
    if (into_itself) return Errno::kEINVAL;
  }
  if (move.target.has_value() && IsDirectory(*move.target)) {
    ASSIGN_OR_RETURN(bool onto_ancestor, IsAtOrAbove(txn, move.target->attr.ino, move.from));
    if (onto_ancestor) {
      return args.mode == RenameMode::kExchange ? Errno::kEINVAL : Errno::kENOTEMPTY;
    }
  }
  return Ok();
}

// Finds both directories and both names. Both names may lead to one inode.
Result<Move> FindEnds(MetaTxn& txn, const Caller& caller, const RenameArgs& args) {
  Move move;
  ASSIGN_OR_RETURN(move.from, GetSearchableDir(txn, caller, args.dir));
  if (args.new_dir.ino != args.dir.ino) {
    ASSIGN_OR_RETURN(move.other_dir, GetSearchableDir(txn, caller, args.new_dir));
  }
  if (IsDots(args.name)) return Errno::kEBUSY;
  if (IsDots(args.new_name)) {
    return args.mode == RenameMode::kNoReplace ? Errno::kEEXIST : Errno::kEBUSY;
  }
  if (caller.read_only) return Errno::kEROFS;
  ASSIGN_OR_RETURN(Dentry old_dentry, FindName(txn, move.from, args.name));
  RETURN_IF_ERROR(CheckName(args.new_name));
  ASSIGN_OR_RETURN(auto new_dentry, txn.GetDentry(move.to().attr.ino, args.new_name));
  if (args.mode == RenameMode::kNoReplace && new_dentry.has_value()) return Errno::kEEXIST;
  if (args.mode == RenameMode::kExchange && !new_dentry.has_value()) return Errno::kENOENT;
  ASSIGN_OR_RETURN(move.source, GetNamedInode(txn, old_dentry.ino));
  if (new_dentry.has_value()) {
    ASSIGN_OR_RETURN(move.target, GetNamedInode(txn, new_dentry->ino));
  }
  return move;
}

// A directory that changes its parent is written to: its ".." changes.
Status CheckNewParents(MetaTxn& txn, const Caller& caller, const RenameArgs& args,
                       const Move& move) {
  if (!move.crosses()) return Ok();
  bool exchange = args.mode == RenameMode::kExchange;
  bool source_dir = IsDirectory(move.source);
  bool target_dir = move.target.has_value() && IsDirectory(*move.target);
  if (source_dir) RETURN_IF_ERROR(CheckPermission(txn, caller, move.source, kMayWrite));
  if (exchange && target_dir) {
    RETURN_IF_ERROR(CheckPermission(txn, caller, *move.target, kMayWrite));
  }
  return Ok();
}

Status CheckAllowed(MetaTxn& txn, const Caller& caller, const RenameArgs& args, const Move& move) {
  bool exchange = args.mode == RenameMode::kExchange;
  bool source_dir = IsDirectory(move.source);
  RETURN_IF_ERROR(CheckRemove(txn, caller, move.from, move.source, source_dir));
  if (move.target.has_value()) {
    bool as_directory = exchange ? IsDirectory(*move.target) : source_dir;
    RETURN_IF_ERROR(CheckRemove(txn, caller, move.to(), *move.target, as_directory));
  } else {
    RETURN_IF_ERROR(CheckMake(txn, caller, move.to()));
  }
  RETURN_IF_ERROR(CheckNewParents(txn, caller, args, move));
  if (move.source.quota != move.to().quota) return Errno::kEXDEV;
  if (exchange && move.target->quota != move.from.quota) return Errno::kEXDEV;
  if (!exchange && move.target.has_value() && source_dir) {
    ASSIGN_OR_RETURN(bool occupied, txn.HasDentries(move.target->attr.ino));
    if (occupied) return Errno::kENOTEMPTY;
  }
  return Ok();
}

// Gives `inode`, until now in `from`, its place as `name` in `to`.
void Place(MetaTxn& txn, Inode& inode, Inode& from, Inode& to, const std::string& name) {
  txn.PutDentry(to.attr.ino, name, {inode.attr.ino, inode.attr.type});
  if (IsDirectory(inode)) {
    --from.attr.nlink;
    ++to.attr.nlink;
    inode.parent = to.attr.ino;
    inode.name = name;
  }
  MarkChanged(txn, inode);
  txn.PutInode(inode);
}

void Apply(MetaTxn& txn, const RenameArgs& args, Move& move) {
  if (args.mode == RenameMode::kExchange) {
    Place(txn, *move.target, move.to(), move.from, args.name);
  } else {
    txn.DeleteDentry(move.from.attr.ino, args.name);
    if (move.target.has_value()) {
      if (IsDirectory(*move.target)) --move.to().attr.nlink;
      DropLink(txn, *move.target);
    }
  }
  Place(txn, move.source, move.from, move.to(), args.new_name);
  MarkModified(txn, move.from);
  txn.PutInode(move.from);
  if (!move.crosses()) return;
  MarkModified(txn, move.to());
  txn.PutInode(move.to());
}

}  // namespace

Status Rename(MetaTxn& txn, const Caller& caller, const RenameArgs& args) {
  ASSIGN_OR_RETURN(Move move, FindEnds(txn, caller, args));
  RETURN_IF_ERROR(CheckLoops(txn, args, move));
  // Two names of one inode: nothing happens, and nothing more is checked.
  if (move.target.has_value() && move.target->attr.ino == move.source.attr.ino) return Ok();
  RETURN_IF_ERROR(CheckAllowed(txn, caller, args, move));
  Apply(txn, args, move);
  return Ok();
}

}  // namespace tarn::posix
