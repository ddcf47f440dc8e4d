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
  const bool for_grace = Stores<V>(args) && leases_.in_grace();
  Turn turn(leases_);
  if (!replay && !for_grace) {
    LatchSet latches(latches_, ModeOf<V>(args), LatchSet::Patience::kBrief, std::move(wanted));
    auto answer = Try<V>(caller, args, store::Tier::kMemoryOnly, latches, rule, turn);
    if (answer.has_value()) return std::move(done)(*std::move(answer));
    wanted = latches.wanted();
  }
  Call<V, Rule> call{caller,          std::move(args), std::move(done), std::move(wanted),
                     std::move(rule), std::move(turn), replay};
  if (call.turn.must_wait() || (for_grace && !replay)) return Park(std::move(call), for_grace);
  pool_.Post([this, call = std::move(call)]() mutable { RunToEnd(std::move(call)); });
}

template <class V, class Rule>
void Driver::Park(Call<V, Rule> call, bool for_grace) {
  const Caller caller = call.caller;
  Leases::Waiting waiting = Leases::TakeWaiting(call.turn);
  call.replay = false;  // looked for before
  auto resume = [this, call = std::move(call)](Status go) mutable {
    if (go.ok()) return RunToEnd(std::move(call));
    call.turn.End();
    std::move(call.done)(go.error());
  };
  if (for_grace) return leases_.ParkInGrace(caller, std::move(resume));
  leases_.Park(std::move(waiting), caller, std::move(resume));
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
                                                     Rule& rule, Turn& turn) {
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
  Result<typename V::Reply> answer = rule(attempt, caller, args);
  if (!answer.ok()) {
    if (TellsAbsence<V>(answer.code())) GrantRead<V>(caller, args, answer);
    return answer;
  }
  ForEachReplyHandle(answer.value(), [&](Handle& handle) {
    handle = MakeHandle(handle.ino, caller.access_point);
  });
  if constexpr (kAccesses<V>) {
    touch = !caller.read_only && AccessIsDue(attempt.txn, AccessedIno(args));
  }
  if constexpr (kReadsData<V>) {
    if (!leases_.MayReadData(caller, args.inode.ino, turn)) return Errno::kBlocked;
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
  return answer;
}

template <class V>
Status Driver::Commit(Attempt& attempt, const Caller& caller, const typename V::Args& args,
                      const Result<typename V::Reply>& answer, Turn& turn) {
  if constexpr (V::kMutates) {
    state::LeaseChanges changes;
    if (caller.leases != nullptr || !leases_.empty()) changes = ChangesOf(attempt.txn);
    // A latch that was missed is met again in order, then the question counts.
    if (attempt.latches.missed() || !leases_.MayChange(caller, changes, turn)) {
      return Errno::kBlocked;
    }
    bool pinned = false;
    if constexpr (kOpens<V>) {
      const state::Open open{OpenedIno<V>(args, *answer), args.access};
      ASSIGN_OR_RETURN(pinned, opens_.Add(caller.session, args.open, open));
    }
    if (caller.request.has_value()) {
      attempt.txn.KeepReply(
          caller.session, caller.request->slot,
          {caller.request->sequence, VerbNumber<V>(), wire::EncodeKept(*answer)});
    }
    if (Status committed = attempt.txn.Commit(); !committed.ok()) {
      if constexpr (kOpens<V>) {
        if (pinned) opens_.Remove(caller.session, args.open);
      }
      return committed;
    }
    turn.End();  // what it had reserved can be granted
    if (caller.leases == nullptr) return Ok();
    Ino dir = kNoIno;
    if constexpr (kGrants<V> == Grants::kMade) {
      GrantRead<V>(caller, args, answer);
      dir = args.dir.ino;
    }
    GrantChanged(caller, changes, dir);
  }
  return Ok();
}

template <class V>
void Driver::GrantRead(const Caller& caller, const typename V::Args& args,
                       const Result<typename V::Reply>& answer) {
  if (caller.leases == nullptr) return;
  constexpr auto kWant =
      kReadsData<V> ? state::LeaseTable::Want::kData : state::LeaseTable::Want::kCache;
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
  leases_.Grant(caller, inodes, kWant);
}

template <class V, class Rule>
void Driver::RunToEnd(Call<V, Rule> call) {
  if constexpr (V::kMutates) {
    if (call.replay) {
      auto kept = FindKept<V>(call.caller, call.args);
      if (kept.has_value()) return std::move(call.done)(*std::move(kept));
    }
    if (Stores<V>(call.args) && leases_.in_grace()) return Park(std::move(call), true);
  }
  LatchSet latches(latches_, ModeOf<V>(call.args), LatchSet::Patience::kLong,
                   std::move(call.wanted));
  auto answer =
      Try<V>(call.caller, call.args, store::Tier::kMayBlock, latches, call.rule, call.turn);
  if (answer.has_value()) return std::move(call.done)(*std::move(answer));
  if (call.turn.must_wait()) {
    call.wanted = latches.wanted();
    return Park(std::move(call), false);
  }
  std::move(call.done)(Error(Errno::kEIO, "the store is blocked though it may wait"));
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
