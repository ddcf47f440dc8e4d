// CachedFs's templates for verbs that work through an open. For its own files only.
#pragma once

#include <utility>

#include "client/cache/cached_fs.h"
#include "common/unless_cancelled.h"

namespace tarn::cache {

template <class Reply, class Go>
void CachedFs::WithOpen(const Caller& caller, OpenId open, Done<Reply> done, Go go) {
  if (!lazy_.AccessOf(open).has_value()) return std::move(go)(std::move(done));
  auto then = [go = std::move(go)](Done<Reply> known, const Status& status) mutable {
    if (!status.ok()) return std::move(known)(status.error());
    std::move(go)(std::move(known));
  };
  lazy_.Register(open, UnlessCancelled(caller, std::move(done), std::move(then)));
}

template <class Args, class Reply>
void CachedFs::Through(const Caller& caller, Args args, Done<Reply> done,
                       void (CachedFs::*now)(const Caller&, Args, Done<Reply>)) {
  auto registered = [this, caller, now](Args whole, Done<Reply> then) {
    const OpenId open = whole.open;
    WithOpen<Reply>(caller, open, std::move(then),
                    [this, caller, now, whole = std::move(whole)](Done<Reply> known) mutable {
                      (this->*now)(caller, std::move(whole), std::move(known));
                    });
  };
  constexpr bool kWrites = std::same_as<Args, WriteArgs>;
  const std::optional<Caller> opener =
      WithoutOpen(caller, args.open, kWrites ? OpenAccess::kWrite : OpenAccess::kRead);
  if (!opener.has_value()) return registered(std::move(args), std::move(done));
  Args alone = args;
  alone.open = kNoOpen;
  (this->*now)(*opener, std::move(alone),
               [registered, args = std::move(args),
                done = std::move(done)](Result<Reply> result) mutable {
                 // A recall has overtaken it: by now the server knows the open, and the right may
                 // be one from before the change.
                 if (result.code() == Errno::kEACCES || result.code() == Errno::kESTALE) {
                   return registered(std::move(args), std::move(done));
                 }
                 std::move(done)(std::move(result));
               });
}

template <class V>
void CachedFs::PassThrough(const Caller& caller, typename V::Args args,
                           Done<typename V::Reply> done) {
  WithOpen<typename V::Reply>(
      caller, args.open, std::move(done),
      [this, caller, args = std::move(args)](Done<typename V::Reply> known) mutable {
        V::Call(remote_, caller, std::move(args), std::move(known));
      });
}

}  // namespace tarn::cache
