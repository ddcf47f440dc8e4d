// What the driver must know of a verb beyond its types: read off the shape of its arguments, and a
// short list of facts.
#pragma once

#include <concepts>

#include "common/verbs.h"

namespace tarn::ops {

// Calls `visit` with every handle among the arguments.
template <class Args, class Visit>
void ForEachHandle(const Args& args, Visit visit) {
  if constexpr (requires { args.inode; }) visit(args.inode);
  if constexpr (requires { args.dir; }) visit(args.dir);
  if constexpr (requires { args.new_dir; }) visit(args.new_dir);
  if constexpr (requires { args.source; }) visit(args.source);
  if constexpr (requires { args.target.ino; }) visit(args.target);
}

// Calls `visit` with every handle of a reply, for its tag to be filled in.
template <class Reply, class Visit>
void ForEachReplyHandle(Reply& reply, Visit visit) {
  if constexpr (std::same_as<Reply, EntryReply>) {
    visit(reply.handle);
  } else if constexpr (std::same_as<Reply, CreateReply>) {
    visit(reply.entry.handle);
  } else if constexpr (std::same_as<Reply, ReadDirReply>) {
    for (DirEntry& entry : reply.entries) {
      if (entry.entry.has_value()) visit(entry.entry->handle);
    }
  }
}

// The verb ends with an open of its client's choice: Open, Create, CreateTmp.
template <class V>
inline constexpr bool kOpens = requires(const typename V::Args& args) {
  args.open;
  args.access;
};

// The inode that such a verb has opened.
template <class V>
Ino OpenedIno(const typename V::Args& args, const typename V::Reply& reply) {
  if constexpr (requires { args.inode; }) {
    return args.inode.ino;
  } else {
    return reply.entry.handle.ino;
  }
}

// The inode that such a verb, or another that makes one, replies with.
inline Ino OpenedOrMade(const EntryReply& reply) { return reply.handle.ino; }
inline Ino OpenedOrMade(const CreateReply& reply) { return reply.entry.handle.ino; }

// Whether this call changes what is stored, so that its reply must be kept. An open that does not
// truncate is not: to run it again is the same.
template <class V>
bool Stores(const typename V::Args& args) {
  if constexpr (std::same_as<V, verbs::Open>) return args.truncate;
  return V::kMutates;
}

// The verb is an access in the sense of atime.
template <class V>
inline constexpr bool kAccesses = std::same_as<V, verbs::Read> ||
                                  std::same_as<V, verbs::ReadDir> ||
                                  std::same_as<V, verbs::ReadLink>;

template <class Args>
Ino AccessedIno(const Args& args) {
  if constexpr (requires { args.dir; }) {
    return args.dir.ino;
  } else {
    return args.inode.ino;
  }
}

// Contents may come with the attributes that it replies with, which are those of ShownIno.
template <class V>
inline constexpr bool kBringsContents = requires(const typename V::Args& args) { args.prefetch; };

inline Ino ShownIno(const EntryReply& reply) { return reply.handle.ino; }
inline Ino ShownIno(const AttrReply& reply) { return reply.attr.ino; }

// The verb may take an inode's last name or cut its contents, so that there is something to free.
template <class V>
inline constexpr bool kFrees =
    std::same_as<V, verbs::Unlink> || std::same_as<V, verbs::RemoveDir> ||
    std::same_as<V, verbs::Rename> || std::same_as<V, verbs::SetAttr> ||
    std::same_as<V, verbs::Open> || std::same_as<V, verbs::Create> ||
    std::same_as<V, verbs::CreateTmp> || std::same_as<V, verbs::Allocate>;

// What a verb grants to a caller that caches, after it has succeeded. Whatever it is, a change also
// grants again what the caller held already of the inodes that it changed.
enum class Grants : uint8_t {
  kNothing,
  kInode,    // the inode that the arguments name
  kName,     // a directory and what its name leads to; the directory alone if that is ENOENT
  kListing,  // a directory and the entries that come with attributes
  kMade,     // the inode of the reply; the directory, if held already
};

template <class V>
inline constexpr Grants kGrants = Grants::kNothing;
template <> inline constexpr Grants kGrants<verbs::Lookup> = Grants::kName;
template <> inline constexpr Grants kGrants<verbs::GetAttr> = Grants::kInode;
template <> inline constexpr Grants kGrants<verbs::ReadLink> = Grants::kInode;
template <> inline constexpr Grants kGrants<verbs::Open> = Grants::kInode;  // but to truncate
template <> inline constexpr Grants kGrants<verbs::Read> = Grants::kInode;
template <> inline constexpr Grants kGrants<verbs::GetXattr> = Grants::kInode;
template <> inline constexpr Grants kGrants<verbs::ListXattr> = Grants::kInode;
template <> inline constexpr Grants kGrants<verbs::ReadDir> = Grants::kListing;
template <> inline constexpr Grants kGrants<verbs::Create> = Grants::kMade;
template <> inline constexpr Grants kGrants<verbs::CreateTmp> = Grants::kMade;
template <> inline constexpr Grants kGrants<verbs::MakeNode> = Grants::kMade;
template <> inline constexpr Grants kGrants<verbs::MakeDir> = Grants::kMade;
template <> inline constexpr Grants kGrants<verbs::SymLink> = Grants::kMade;

// Whoever does so again may be the one to go on by itself, exclusively.
template <class V>
inline constexpr bool kMayGoOn =
    std::same_as<V, verbs::Write> || std::same_as<V, verbs::SetLock>;

// During grace it waits until everybody has told what was written before.
template <class V>
inline constexpr bool kAwaitsGrace =
    V::kMutates || kGrants<V> != Grants::kNothing || std::same_as<V, verbs::Fsync> ||
    std::same_as<V, verbs::Seek>;
template <> inline constexpr bool kAwaitsGrace<verbs::Release> = false;

// Its reply can have news of leases at all.
template <class V>
inline constexpr bool kHasNews =
    V::kMutates || kGrants<V> != Grants::kNothing || kMayGoOn<V> || std::same_as<V, verbs::StatFs>;

// An error that is the answer as the record has it, so that it can be cached under a lease.
template <class V>
constexpr bool TellsAbsence(Errno code) {
  if constexpr (std::same_as<V, verbs::Lookup>) return code == Errno::kENOENT;
  if constexpr (std::same_as<V, verbs::GetXattr>) return code == Errno::kENODATA;
  return false;
}

// The kernel keeps what it returns, whatever is said with it.
template <class V>
inline constexpr bool kReadsData = std::same_as<V, verbs::Read>;

// A verb's number with kept replies.
template <class V>
constexpr uint8_t VerbNumber() {
  for (size_t i = 0; i < kVerbNames.size(); ++i) {
    if (kVerbNames[i] == V::kName) return static_cast<uint8_t>(i);
  }
  return 0xff;
}

}  // namespace tarn::ops
