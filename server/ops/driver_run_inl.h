// Driver's templates: a call from its arrival to its end. Include driver.h instead.
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
  const bool replay = V::kMutates && caller.request.has_value() &&
                      (caller.maybe_replay || caller.formerly != nullptr);
  const bool for_grace = AwaitsGrace<V>(caller, args);
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

// The server's own look at a directory, of no session, grants nothing.
template <class V>
bool Driver::AwaitsGrace(const Caller& caller, const typename V::Args& args) const {
  if (!leases_.in_grace()) return false;
  const bool of_session = kAwaitsGrace<V> && caller.session != SessionId{};
  if (!of_session && !Stores<V>(args)) return false;
  if constexpr (requires { args.inode; }) return leases_.MustAwaitGrace(caller, args.inode.ino);
  return true;
}

template <class V, class Rule>
void Driver::Park(Call<V, Rule> call, bool for_grace) {
  const Caller caller = call.caller;
  Leases::Waiting waiting = Leases::TakeWaiting(call.turn);
  call.replay = false;  // looked for before
  auto resume = [this, call = std::move(call)](Status go, Leases::Thread thread) mutable {
    if (go.ok() && thread == Leases::Thread::kPool) return RunToEnd(std::move(call));
    if (go.ok()) return RunBriefly(std::move(call));
    call.turn.End();
    std::move(call.done)(go.error());
  };
  if (for_grace) return leases_.ParkInGrace(caller, std::move(resume));
  leases_.Park(std::move(waiting), caller, std::move(resume));
}

template <class V, class Rule>
void Driver::RunBriefly(Call<V, Rule> call) {
  LatchSet latches(latches_, ModeOf<V>(call.args), LatchSet::Patience::kBrief,
                   std::move(call.wanted));
  auto answer = Try<V>(call.caller, call.args, store::Tier::kMemoryOnly, latches, call.rule,
                       call.turn);
  if (answer.has_value()) return std::move(call.done)(*std::move(answer));
  call.wanted = latches.wanted();
  if (call.turn.must_wait()) return Park(std::move(call), false);
  pool_.Post([this, call = std::move(call)]() mutable { RunToEnd(std::move(call)); });
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
void Driver::RunToEnd(Call<V, Rule> call) {
  if constexpr (V::kMutates) {
    if (call.replay) {
      auto kept = FindKept<V>(call.caller, call.args, call.wanted);
      if (kept.has_value()) return std::move(call.done)(*std::move(kept));
    }
    if (AwaitsGrace<V>(call.caller, call.args)) return Park(std::move(call), true);
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
                                                          const typename V::Args& args,
                                                          const LatchSet::Ranks& named) {
  auto kept = LookUpKept(caller, VerbNumber<V>(), named);
  if (!kept.ok()) return kept.error();
  if (!kept->has_value()) return std::nullopt;
  auto reply = wire::DecodeKept<typename V::Reply>((*kept)->reply);
  if constexpr (kOpens<V>) {
    if (reply.ok()) {
      // Under the latch, as every pin; if the inode is gone already, its users will hear ESTALE.
      const Ino ino = OpenedIno<V>(args, *reply);
      LatchSet latches(latches_, LatchSet::Mode::kShared, LatchSet::Patience::kLong,
                       {Latches::RankOf(ino)});
      latches.Acquire();
      if constexpr (std::same_as<V, verbs::CreateTmp>) {
        // But nobody else ever saw this one, so another is as good.
        const auto inode = Begin(store::Tier::kMayBlock, latches)->GetInode(ino);
        if (inode.ok() && !inode->has_value()) return std::nullopt;
      }
      auto pinned = opens_.Add(caller.session, args.open, {ino, args.access});
      if (!pinned.ok()) return pinned.error();
    }
  }
  return reply;
}

}  // namespace tarn::ops
