// What a verb shows of files that another host may be writing to by itself.
#pragma once

#include <concepts>
#include <vector>

#include "common/verbs.h"
#include "server/state/lease_conflicts.h"

namespace tarn::ops {

// What a call shows of files, which others may have written to without having told yet: before its
// rule runs, as the arguments say...
template <class V>
state::LeaseViews ShownByArgs(const typename V::Args& args) {
  if constexpr (std::same_as<V, verbs::GetAttr>) return {{args.inode.ino, LeaseMode::kExclusive}};
  if constexpr (std::same_as<V, verbs::CopyRange>) return {{args.source.ino}};
  if constexpr (std::same_as<V, verbs::Open> || std::same_as<V, verbs::Read> ||
                std::same_as<V, verbs::Seek> || std::same_as<V, verbs::Fsync> ||
                std::same_as<V, verbs::GetLock>) {
    return {{args.inode.ino}};
  }
  // Who locks will write.
  if constexpr (std::same_as<V, verbs::SetLock>) return {{args.inode.ino, LeaseMode::kNone}};
  return {};
}
// ... and after it, as the reply does.
template <class V>
state::LeaseViews ShownByReply(const typename V::Reply& reply) {
  if constexpr (std::same_as<V, verbs::Lookup>) return {{reply.handle.ino, LeaseMode::kExclusive}};
  if constexpr (std::same_as<V, verbs::Create>) return {{reply.entry.handle.ino}};
  return {};
}
// Puts what their holders have said into a reply's attributes. False: the store has heard of later
// changes since, and the two together never were: the holder must be asked again.
template <class V>
bool ShowGlimpsed(const std::vector<state::Glimpsed>& glimpsed, typename V::Reply& reply) {
  if constexpr (std::same_as<V, verbs::Lookup> || std::same_as<V, verbs::GetAttr>) {
    for (const state::Glimpsed& one : glimpsed) {
      if (one.ino != reply.attr.ino) continue;
      if (reply.attr.ctime > one.mtime) return false;
      reply.attr.size = one.size;
      reply.attr.mtime = reply.attr.ctime = one.mtime;
    }
  }
  return true;
}

}  // namespace tarn::ops
