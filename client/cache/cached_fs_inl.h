// CachedFs's templates: one way for all verbs to answer in place, to ask on, to change. For its own
// files only.
#pragma once

#include <algorithm>
#include <utility>

#include "client/cache/cache_txn.h"
#include "client/cache/cached_fs.h"
#include "common/posix/rules.h"
#include "common/unless_cancelled.h"

namespace tarn::cache {

inline bool Contains(const Table::Learnable& learnable, Ino ino) {
  return std::binary_search(learnable.begin(), learnable.end(), ino);
}

// Whether it is answered soon. A lock may wait for ever.
inline bool IsBrief(const SetLockArgs& args) { return !args.wait; }
template <class Args>
bool IsBrief(const Args& args) {
  return true;
}

inline constexpr auto kNothing = [](const auto&, const auto&) {};

template <class V, class Learn>
void CachedFs::Ask(const Caller& caller, typename V::Args args, Done<typename V::Reply> done,
                   Learn learn) {
  const bool brief = IsBrief(args);
  uint64_t start = 0;
  {
    MutexLock lock(&mu_);
    start = brief ? table_.Start() : table_.Now();
    if constexpr (requires { args.prefetch; }) args.prefetch = forecast_.Of(args);
  }
  const Caller asking = WithNews(caller);
  V::Call(remote_, asking, std::move(args),
          [this, brief, start, news = asking.leases, learn = std::move(learn),
           done = std::move(done)](Result<typename V::Reply> result) mutable {
            bool many_evicted = false;
            {
              MutexLock lock(&mu_);
              const Table::Learnable learnable = table_.Admit(*news, start);
              if (!learnable.empty()) learn(learnable, result);
              if (const auto& contents = news->contents; result.ok() && contents.has_value()) {
                const Ino ino = contents->ino;
                const bool known = Contains(learnable, ino) && !write_behind_.IsDirty(ino);
                if (known) table_.LearnContents(*contents);
              }
              if (brief) table_.End(start);
              if (result.ok()) ShowWritten(*result);
              many_evicted = table_.evicted() >= return_batch_;
            }
            NoteTime(*news);
            ReturnEvictedSoon(many_evicted);
            std::move(done)(std::move(result));
          });
}

template <class V, class Rule, class Learn>
void CachedFs::Serve(const Caller& caller, typename V::Args args, Done<typename V::Reply> done,
                     Rule rule, Learn learn) {
  if (Valid()) {
    Result<typename V::Reply> answer = Errno::kBlocked;
    {
      MutexLock lock(&mu_);
      if (Owns(HandleOf(args))) {
        CacheTxn txn(table_, clock_.Now());
        answer = rule(txn, caller, args);
        if (answer.ok()) {
          ForEachHandleIn(*answer, [&](Handle& handle) {
            mu_.AssertHeld();
            const Node* node = table_.Peek(handle.ino);
            if (node != nullptr) handle = node->handle;
          });
        }
      }
    }
    if (answer.code() != Errno::kBlocked) return std::move(done)(std::move(answer));
  }
  // The server must know first what it is asked about.
  const Ino ino = HandleOf(args).ino;
  if (!write_behind_.IsDirty(ino)) {
    return Ask<V>(caller, std::move(args), std::move(done), std::move(learn));
  }
  auto ask = [this, caller, args = std::move(args),
              learn = std::move(learn)](Done<typename V::Reply> then) mutable {
    Ask<V>(caller, std::move(args), std::move(then), std::move(learn));
  };
  write_behind_.FlushThen(ino, UnlessCancelled(caller, std::move(done), std::move(ask)));
}

// Attributes that the server has sent of what it has not been told all of yet.
template <class Reply>
void CachedFs::ShowWritten(Reply& reply) {
  if (write_behind_.empty()) return;
  if constexpr (std::same_as<Reply, EntryReply>) {
    const Node* node = table_.Peek(reply.handle.ino);
    const bool ours = node != nullptr && node->has_attr && write_behind_.IsDirty(reply.handle.ino);
    if (ours) reply.attr = node->attr;
  } else if constexpr (std::same_as<Reply, ReadDirReply>) {
    for (DirEntry& entry : reply.entries) {
      if (entry.entry.has_value() && write_behind_.IsDirty(entry.ino)) entry.entry.reset();
    }
  }
}

template <class V, class Learn>
void CachedFs::Change(const Caller& caller, typename V::Args args, Touched touched,
                      Done<typename V::Reply> done, Learn learn) {
  if (write_behind_.empty()) {
    return ChangeNow<V>(caller, std::move(args), std::move(touched), std::move(done),
                        std::move(learn));
  }
  // What was written before goes before.
  auto change = [this, caller, args = std::move(args), touched,
                 learn = std::move(learn)](Done<typename V::Reply> then) mutable {
    ChangeNow<V>(caller, std::move(args), std::move(touched), std::move(then), std::move(learn));
  };
  FlushThen(touched, UnlessCancelled(caller, std::move(done), std::move(change)));
}

template <class V, class Learn>
void CachedFs::ChangeNow(const Caller& caller, typename V::Args args, Touched touched,
                         Done<typename V::Reply> done, Learn learn) {
  touched.inodes.push_back(kFigures);
  std::sort(touched.inodes.begin(), touched.inodes.end());
  touched.inodes.erase(std::unique(touched.inodes.begin(), touched.inodes.end()),
                       touched.inodes.end());
  uint64_t start = 0;
  {
    MutexLock lock(&mu_);
    for (const Ino ino : touched.inodes) table_.BeginChange(ino);
    for (const auto& [dir, name] : touched.names) table_.Doubt(dir, name);
    start = table_.Start();
  }
  kernel_.Settle();
  const Caller asking = WithNews(caller);
  V::Call(
      remote_, asking, std::move(args),
      [this, start, news = asking.leases, touched = std::move(touched), learn = std::move(learn),
       done = std::move(done)](Result<typename V::Reply> result) mutable {
        {
          MutexLock lock(&mu_);
          const Table::Learnable learnable = table_.Admit(*news, start, touched.inodes);
          for (const Ino ino : touched.inodes) table_.EndChange(ino);
          for (const Ino ino : news->changed) {
            table_.Bar(ino);
            table_.DropAttr(ino);
          }
          for (const auto& [dir, name] : touched.names) table_.Doubt(dir, name);
          if constexpr (std::same_as<V, verbs::Rename>) {
            for (const Ino ino : news->changed) table_.ForgetParent(ino);
          }
          for (const Attr& attr : news->directories) {
            if (Contains(learnable, attr.ino)) table_.Learn(attr);
          }
          if (result.ok()) learn(learnable, *result);
          table_.End(start);
        }
        NoteTime(*news);
        if constexpr (kTakesNames<V>) ReturnUnknown(Gone(news->changed, touched.inodes));
        std::move(done)(std::move(result));
      });
}

}  // namespace tarn::cache
