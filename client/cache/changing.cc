// CachedFs's verbs that change metadata.
#include <utility>

#include "client/cache/cached_fs_inl.h"

namespace tarn::cache {

// A right that an open was given stays, whatever becomes of the mode: so the server must know of
// the open first.
void CachedFs::SetAttr(const Caller& caller, SetAttrArgs args, Done<AttrReply> done) {
  const Handle inode = args.inode;
  auto change = [this, caller, inode, args = std::move(args)](Done<AttrReply> then) mutable {
    Change<verbs::SetAttr>(caller, std::move(args), {.inodes = {inode.ino}}, std::move(then),
                           [this, inode](const Table::Learnable& learnable, const AttrReply& reply)
                               ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
                                 LearnEntry(learnable, {inode, reply.attr});
                               });
  };
  lazy_.RegisterAll(inode.ino, UnlessCancelled(caller, std::move(done), std::move(change)));
}

template <class V>
void CachedFs::ChangeXattr(const Caller& caller, typename V::Args args, Done<Unit> done) {
  const Ino ino = args.inode.ino;
  auto change = [this, caller, ino, args = std::move(args)](Done<Unit> then) mutable {
    Change<V>(caller, std::move(args), {.inodes = {ino}}, std::move(then), kNothing);
  };
  lazy_.RegisterAll(ino, UnlessCancelled(caller, std::move(done), std::move(change)));
}

void CachedFs::SetXattr(const Caller& caller, SetXattrArgs args, Done<Unit> done) {
  ChangeXattr<verbs::SetXattr>(caller, std::move(args), std::move(done));
}

void CachedFs::RemoveXattr(const Caller& caller, RemoveXattrArgs args, Done<Unit> done) {
  ChangeXattr<verbs::RemoveXattr>(caller, std::move(args), std::move(done));
}

template <class V>
void CachedFs::Make(const Caller& caller, typename V::Args args, Done<EntryReply> done) {
  const Ino dir = args.dir.ino;
  const std::string name = args.name;
  Change<V>(caller, std::move(args), {.inodes = {dir}, .names = {{dir, name}}}, std::move(done),
            [this, dir, name](const Table::Learnable& learnable, const EntryReply& reply)
                ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
                  const Ino made = reply.handle.ino;
                  LearnEntry(learnable, reply);
                  if constexpr (std::same_as<V, verbs::MakeDir>) {
                    if (Contains(learnable, made)) table_.LearnEmpty(made, dir);
                  }
                  if (!Contains(learnable, dir)) return;
                  table_.LearnName(dir, name, {made, reply.attr.type});
                });
}

void CachedFs::MakeNode(const Caller& caller, MakeNodeArgs args, Done<EntryReply> done) {
  Make<verbs::MakeNode>(caller, std::move(args), std::move(done));
}
void CachedFs::MakeDir(const Caller& caller, MakeDirArgs args, Done<EntryReply> done) {
  Make<verbs::MakeDir>(caller, std::move(args), std::move(done));
}
void CachedFs::SymLink(const Caller& caller, SymLinkArgs args, Done<EntryReply> done) {
  Make<verbs::SymLink>(caller, std::move(args), std::move(done));
}

void CachedFs::Link(const Caller& caller, LinkArgs args, Done<EntryReply> done) {
  const Ino dir = args.new_dir.ino;
  Change<verbs::Link>(
      caller, args, {.inodes = {args.inode.ino, dir}, .names = {{dir, args.new_name}}},
      std::move(done),
      [this, dir, name = args.new_name](const Table::Learnable& learnable, const EntryReply& reply)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            LearnEntry(learnable, reply);
            if (!Contains(learnable, dir)) return;
            table_.LearnName(dir, name, {reply.handle.ino, reply.attr.type});
          });
}

template <class V>
void CachedFs::Remove(const Caller& caller, typename V::Args args, Done<Unit> done) {
  Touched touched;
  TouchChild(args.dir.ino, args.name, touched);
  Change<V>(caller, args, std::move(touched), std::move(done),
            [this, dir = args.dir.ino, name = args.name](const Table::Learnable& learnable, Unit)
                ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
                  if (Contains(learnable, dir)) table_.LearnName(dir, name, Dentry{});
                });
}

void CachedFs::Unlink(const Caller& caller, UnlinkArgs args, Done<Unit> done) {
  Remove<verbs::Unlink>(caller, std::move(args), std::move(done));
}
void CachedFs::RemoveDir(const Caller& caller, RemoveDirArgs args, Done<Unit> done) {
  Remove<verbs::RemoveDir>(caller, std::move(args), std::move(done));
}

void CachedFs::Rename(const Caller& caller, RenameArgs args, Done<Unit> done) {
  Touched touched;
  TouchChild(args.dir.ino, args.name, touched);
  TouchChild(args.new_dir.ino, args.new_name, touched);
  const bool gone = args.mode != RenameMode::kExchange;
  Change<verbs::Rename>(
      caller, args, std::move(touched), std::move(done),
      [this, gone, dir = args.dir.ino, name = args.name](const Table::Learnable& learnable, Unit)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
            if (gone && Contains(learnable, dir)) table_.LearnName(dir, name, Dentry{});
          });
}

}  // namespace tarn::cache
