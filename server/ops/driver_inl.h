// Driver's templates. Include driver.h instead.
#pragma once

#include "server/ops/driver.h"

namespace tarn::ops {

template <class V, class Rule>
void Driver::Run(const Caller& caller, typename V::Args args, Done<typename V::Reply> done,
                 Rule rule) {
  if (Status tags = CheckTags<V>(caller, args); !tags.ok()) {
    return std::move(done)(tags.error());
  }
  LatchSet::Ranks wanted;
  ForEachHandle(args,
                [&](Handle handle) { wanted.push_back(Latches::RankOf(handle.ino)); });
  const bool replay = V::kMutates && caller.maybe_replay && caller.request.has_value();
  if (!replay) {
    LatchSet latches(latches_, ModeOf<V>(args), LatchSet::Patience::kBrief, std::move(wanted));
    auto answer = Try<V>(caller, args, store::Tier::kMemoryOnly, latches, rule);
    if (answer.has_value()) return std::move(done)(*std::move(answer));
    wanted = latches.wanted();
  }
  pool_.Post([this, caller = caller, args = std::move(args), done = std::move(done),
              wanted = std::move(wanted), rule = std::move(rule)]() mutable {
    std::move(done)(RunToEnd<V>(caller, args, std::move(wanted), rule));
  });
}

template <class V>
Status Driver::CheckTags(const Caller& caller, const typename V::Args& args) const {
  if constexpr (std::same_as<V, verbs::Lookup>) {
    // A server of handles (NFS re-export) knows inode numbers only; the unconfined root may ask for
    // any.
    const bool may_ask = caller.uid == 0 && caller.access_point == 0;
    if (may_ask && args.name == "." && args.dir.tag == 0) return Ok();
  }
  Status status = Ok();
  ForEachHandle(args, [&](Handle handle) {
    if (status.ok()) status = CheckTag(caller, handle);
  });
  return status;
}

template <class V, class Rule>
std::optional<Result<typename V::Reply>> Driver::Try(const Caller& caller,
                                                     const typename V::Args& args,
                                                     store::Tier tier, LatchSet& latches,
                                                     Rule& rule) {
  while (latches.Acquire()) {
    bool touch = false;
    auto answer = [&] {
      auto txn = Begin(tier, latches);
      Attempt attempt{*txn, latches, tier};
      return Once<V>(attempt, caller, args, rule, touch);
    }();
    const bool missed = latches.missed();
    latches.Release();
    if (answer.code() == Errno::kBlocked) {
      if (missed) continue;
      return std::nullopt;
    }
    if constexpr (kFrees<V>) {
      if (answer.ok() && Stores<V>(args)) changed_();
    }
    if constexpr (kAccesses<V>) {
      if (touch) TouchSoon(AccessedIno(args), tier);
    }
    return answer;
  }
  return std::nullopt;
}

template <class V, class Rule>
Result<typename V::Reply> Driver::Once(Attempt& attempt, const Caller& caller,
                                       const typename V::Args& args, Rule& rule, bool& touch) {
  Result<typename V::Reply> answer = rule(attempt, caller, args);
  if (!answer.ok()) return answer;
  ForEachReplyHandle(answer.value(), [&](Handle& handle) {
    handle = MakeHandle(handle.ino, caller.access_point);
  });
  if constexpr (kAccesses<V>) {
    touch = !caller.read_only && AccessIsDue(attempt.txn, AccessedIno(args));
  }
  bool pinned = false;
  if constexpr (kOpens<V>) {
    const state::Open open{OpenedIno<V>(args, *answer), args.access};
    ASSIGN_OR_RETURN(pinned, opens_.Add(caller.session, args.open, open));
  }
  if (!Stores<V>(args)) return answer;
  if constexpr (V::kMutates) {
    if (caller.request.has_value()) {
      attempt.txn.KeepReply(
          caller.session, caller.request->slot,
          {caller.request->sequence, VerbNumber<V>(), wire::EncodeKept(*answer)});
    }
    Status committed = attempt.txn.Commit();
    if (!committed.ok()) {
      if constexpr (kOpens<V>) {
        if (pinned) opens_.Remove(caller.session, args.open);
      }
      return committed.error();
    }
  }
  return answer;
}

template <class V, class Rule>
Result<typename V::Reply> Driver::RunToEnd(const Caller& caller, const typename V::Args& args,
                                           LatchSet::Ranks wanted, Rule& rule) {
  if constexpr (V::kMutates) {
    if (caller.maybe_replay && caller.request.has_value()) {
      if (auto kept = FindKept<V>(caller, args); kept.has_value()) return *std::move(kept);
    }
  }
  LatchSet latches(latches_, ModeOf<V>(args), LatchSet::Patience::kLong, std::move(wanted));
  auto answer = Try<V>(caller, args, store::Tier::kMayBlock, latches, rule);
  if (answer.has_value()) return *std::move(answer);
  return Error(Errno::kEIO, "the store is blocked though it may wait");
}

template <class V>
std::optional<Result<typename V::Reply>> Driver::FindKept(const Caller& caller,
                                                          const typename V::Args& args) {
  auto kept = store_.FindKeptReply(caller.session, caller.request->slot);
  if (!kept.ok()) return kept.error();
  if (!kept->has_value() || (*kept)->sequence != caller.request->sequence ||
      (*kept)->verb != VerbNumber<V>()) {
    return std::nullopt;
  }
  auto reply = wire::DecodeKept<typename V::Reply>((*kept)->reply);
  if constexpr (kOpens<V>) {
    if (reply.ok()) {
      // Under the latch, as every pin; if the inode is gone already, its users will hear ESTALE.
      const Ino ino = OpenedIno<V>(args, *reply);
      LatchSet latches(latches_, LatchSet::Mode::kShared, LatchSet::Patience::kLong,
                       {Latches::RankOf(ino)});
      latches.Acquire();
      auto pinned = opens_.Add(caller.session, args.open, {ino, args.access});
      if (!pinned.ok()) return pinned.error();
    }
  }
  return reply;
}

}  // namespace tarn::ops
