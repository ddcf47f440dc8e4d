// Driver's templates: one attempt. Include driver.h instead.
#pragma once

#include "server/ops/driver.h"

namespace tarn::ops {

template <class V, class Rule>
std::optional<Result<typename V::Reply>> Driver::Try(const Caller& caller,
                                                     const typename V::Args& args, store::Tier tier,
                                                     LatchSet& latches, Rule& rule, Turn& turn) {
  while (latches.Acquire()) {
    bool touch = false;
    auto answer = [&] {
      auto txn = Begin(tier, latches);
      Attempt attempt{*txn, latches, tier};
      return Once<V>(attempt, caller, args, rule, touch, turn);
    }();
    const bool missed = latches.missed();
    latches.Release();
    if (answer.code() == Errno::kBlocked) {
      if (missed && !turn.must_wait()) continue;
      return std::nullopt;
    }
    turn.End();
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
                                       const typename V::Args& args, Rule& rule, bool& touch,
                                       Turn& turn) {
  std::vector<state::Glimpsed> glimpsed;
  if (!leases_.MayShow(caller, ShownByArgs<V>(args), turn, glimpsed)) return Errno::kBlocked;
  Result<typename V::Reply> answer = rule(attempt, caller, args);
  if (!answer.ok()) {
    if (TellsAbsence<V>(answer.code())) GrantRead<V>(caller, args, answer);
    return answer;
  }
  ForEachReplyHandle(answer.value(),
                     [&](Handle& handle) { handle = MakeHandle(handle.ino, caller.access_point); });
  if (!leases_.MayShow(caller, ShownByReply<V>(*answer), turn, glimpsed)) return Errno::kBlocked;
  if (!ShowGlimpsed<V>(glimpsed, *answer)) {
    turn.End();
    for (const state::LeaseViews& views : {ShownByArgs<V>(args), ShownByReply<V>(*answer)}) {
      if (!leases_.MayShow(caller, views, turn, glimpsed)) return Errno::kBlocked;
    }
  }
  if constexpr (kAccesses<V>) {
    touch = !caller.read_only && AccessIsDue(attempt.txn, AccessedIno(args));
  }
  if constexpr (!V::kMutates) {
    const Want after_wait = kMayGoOn<V> ? leases_.WantAfter(turn) : Want::kHeld;
    turn.End();  // what it had reserved can be granted
    if constexpr (kMayGoOn<V>) {
      if (caller.leases != nullptr) leases_.Grant(caller, {args.inode.ino}, after_wait);
    }
  }
  if constexpr (kReadsData<V>) {
    if (!args.direct && !leases_.MayReadData(caller, args.inode.ino, turn)) {
      return Errno::kBlocked;
    }
  }
  if (Stores<V>(args)) {
    RETURN_IF_ERROR(Commit<V>(attempt, caller, args, answer, turn));
    return answer;
  }
  if constexpr (kOpens<V>) {
    const state::Open open{OpenedIno<V>(args, *answer), args.access};
    RETURN_IF_ERROR(opens_.Add(caller.session, args.open, open));
  }
  GrantRead<V>(caller, args, answer);
  if constexpr (kBringsContents<V>) {
    AddContents(attempt, caller, ShownIno(*answer), args.prefetch);
  }
  return answer;
}

template <class V>
Status Driver::Commit(Attempt& attempt, const Caller& caller, const typename V::Args& args,
                      const Result<typename V::Reply>& answer, Turn& turn) {
  if constexpr (V::kMutates) {
    const bool counted = attempt.txn.ChangesUsage();
    std::optional<state::Figures::Change> under_way;
    if (counted) under_way.emplace(leases_.figures());
    state::LeaseChanges changes;
    if (caller.leases != nullptr || !leases_.empty()) changes = ChangesOf(attempt.txn);
    if (counted) changes.push_back({.ino = kFigures});
    // A latch that was missed is met again in order, then the question counts.
    if (attempt.latches.missed() || !leases_.MayChange(caller, changes, turn)) {
      return Errno::kBlocked;
    }
    if (counted) changes.pop_back();
    if (HasEnded(caller)) return Error(Errno::kEBADF, "the session has ended");
    Attrs directories;
    if (caller.leases != nullptr) directories = DirectoriesOf(attempt.txn, changes);
    bool pinned = false;
    if constexpr (kOpens<V>) {
      const state::Open open{OpenedIno<V>(args, *answer), args.access};
      ASSIGN_OR_RETURN(pinned, opens_.Add(caller.session, args.open, open));
    }
    if (caller.request.has_value()) {
      attempt.txn.KeepReply(caller.session, caller.request->slot,
                            {caller.request->sequence, VerbNumber<V>(), wire::EncodeKept(*answer)});
    }
    if (Status committed = attempt.txn.Commit(); !committed.ok()) {
      if constexpr (kOpens<V>) {
        if (pinned) opens_.Remove(caller.session, args.open);
      }
      return committed;
    }
    under_way.reset();
    const Want after_write = kMayGoOn<V> ? leases_.WantAfter(turn) : Want::kHeld;
    turn.End();  // what it had reserved can be granted
    if (caller.leases == nullptr) return Ok();
    Ino dir = kNoIno;
    if constexpr (kGrants<V> == Grants::kMade) {
      GrantRead<V>(caller, args, answer);
      dir = args.dir.ino;
    }
    GrantChanged(caller, changes, directories, dir, after_write);
  }
  return Ok();
}

template <class V>
void Driver::GrantRead(const Caller& caller, const typename V::Args& args,
                       const Result<typename V::Reply>& answer) {
  if (caller.leases == nullptr) return;
  Want want = Want::kCache;
  if constexpr (kReadsData<V>) want = args.direct ? Want::kHeld : Want::kData;
  absl::InlinedVector<Ino, 2> inodes;
  if constexpr (kGrants<V> == Grants::kInode) {
    inodes.push_back(args.inode.ino);
  } else if constexpr (kGrants<V> == Grants::kName) {
    const bool dots = args.name == "." || args.name == "..";
    if (!dots) inodes.push_back(args.dir.ino);
    if (answer.ok()) inodes.push_back(answer->handle.ino);
  } else if constexpr (kGrants<V> == Grants::kListing) {
    inodes.push_back(args.dir.ino);
    for (const DirEntry& entry : answer->entries) {
      if (entry.entry.has_value() && entry.ino != args.dir.ino) inodes.push_back(entry.ino);
    }
  } else if constexpr (kGrants<V> == Grants::kMade) {
    inodes.push_back(OpenedOrMade(*answer));
  }
  leases_.Grant(caller, inodes, want);
}

}  // namespace tarn::ops
