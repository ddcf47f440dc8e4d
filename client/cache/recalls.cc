// CachedFs's answers to recalls, and what it does when all leases are lost.
#include <utility>

#include "client/cache/cached_fs.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/timed_wait.h"

namespace tarn::cache {
namespace {

// So long a request of this mount may keep a recall waiting before it is done by force.
constexpr absl::Duration kPatience = absl::Milliseconds(20);

// The same when everything is emptied, to begin with: there may be much.
constexpr absl::Duration kPassPatience = absl::Seconds(1);

// A file is in use while it is used at least once between two looks.
constexpr absl::Duration kLook = absl::Milliseconds(2);

}  // namespace

struct CachedFs::Emptying {
  Mutex mu;
  bool done ABSL_GUARDED_BY(mu) = false;
};

struct CachedFs::RecallTask {
  uint64_t event = 0;
  Recall recall;
  KernelCache::Manner manner = KernelCache::Manner::kGentle;
};

void CachedFs::OnRecall(uint64_t event, Recall recall) {
  if (recall.ino == kFigures && !ignore_recalls_) {
    MutexLock lock(&mu_);
    table_.Apply(recall);
  }
  // The kernel keeps no figures.
  if (recall.ino == kFigures || ignore_recalls_) return remote_.AnswerRecall(event);
  auto task = std::make_shared<RecallTask>();
  task->event = event;
  task->recall = std::move(recall);
  const Ino ino = task->recall.ino;
  std::optional<Glimpse> glimpse;
  bool has_turn = false;
  {
    MutexLock lock(&mu_);
    if (task->recall.to == LeaseMode::kExclusive) {
      glimpse = LookAt(event, ino);
    } else if (!task->recall.directory) {
      has_turn = IsTurnComing(ino) || HasSlice(ino);
    }
    if (!glimpse.has_value() && !has_turn) GiveUp(*task);
  }
  if (glimpse.has_value()) return remote_.AnswerGlimpse(*glimpse);
  if (has_turn) return workers_.Post([this, task] { UseSlice(task); });
  Answer(task);
}

bool CachedFs::IsTurnComing(Ino ino) const {
  return !table_.IsHeld(ino) && (table_.Changing(ino) || locks_.IsAsked(ino));
}

bool CachedFs::HasSlice(Ino ino) {
  return table_.MayWrite(ino) && !table_.IsSliceOver(ino, clock_.BootNanos());
}

void CachedFs::GiveUp(RecallTask& task) {
  // A change of ours holds the directory's lock in the kernel, and may wait for this very answer.
  if (table_.Changing(task.recall.ino)) task.manner = KernelCache::Manner::kForced;
  table_.Apply(task.recall);
}

void CachedFs::Answer(const std::shared_ptr<RecallTask>& task) {
  workers_.PostWatched([this, task] { RegisterThenEmpty(task, task->manner); }, kPatience,
                       [this, task] { EmptyByForce(task); });
}

// Hosts that take turns at a file would else do one operation a turn.
void CachedFs::UseSlice(const std::shared_ptr<RecallTask>& task) {
  const Ino ino = task->recall.ino;
  const auto came = [this, ino]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !IsTurnComing(ino); };
  const auto lost = [this, ino]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !table_.MayWrite(ino); };
  const auto unlocked = [this, ino]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return !locks_.Holds(ino);
  };
  {
    MutexLock lock(&mu_);
    AwaitFor(mu_, absl::Condition(&came), kLook);
    for (bool used = true; used && HasSlice(ino);) {
      const uint64_t uses = table_.Uses(ino);
      AwaitFor(mu_, absl::Condition(&lost), kLook);
      used = table_.Uses(ino) != uses;
    }
    // Between two locks there is nothing to hand over.
    AwaitFor(mu_, absl::Condition(&unlocked), kLook);
    GiveUp(*task);
  }
  Answer(task);
}

void CachedFs::RegisterThenEmpty(const std::shared_ptr<RecallTask>& task,
                                 KernelCache::Manner manner) {
  kernel_.Settle();
  const Ino ino = task->recall.ino;
  if (task->recall.directory && !lazy_.IsOpen(ino)) return EmptyKernel(task, manner);
  // The answers come on threads that must not wait.
  auto empty = [this, task, manner] {
    workers_.PostWatched([this, task, manner] { EmptyKernel(task, manner); }, kPatience,
                         [this, task] { EmptyByForce(task); });
  };
  bool at_once = false;
  {
    MutexLock lock(&mu_);
    at_once = !lazy_.IsOpen(ino) && !write_behind_.IsDirty(ino) && !locks_.InUse(ino);
  }
  if (at_once) return EmptyKernel(task, manner);
  lazy_.RegisterAll(ino, [this, ino, empty] {
    write_behind_.FlushThen(ino, [this, ino, empty] { HandOverLocks(ino, empty); });
  });
}

// What a request of this mount has got in the way of, or what was not given a processor; all of it,
// and if it is stuck again, again.
void CachedFs::EmptyByForce(const std::shared_ptr<RecallTask>& task) {
  workers_.PostWatched([this, task] { RegisterThenEmpty(task, KernelCache::Manner::kForced); },
                       kPatience, [this, task] { EmptyByForce(task); });
}

// Whoever is done first answers; a second answer changes nothing.
void CachedFs::EmptyKernel(const std::shared_ptr<RecallTask>& task, KernelCache::Manner manner) {
  const Recall& recall = task->recall;
  kernel_.Use([&](KernelCache& kernel) {
    if (recall.to == LeaseMode::kNone) {
      kernel.DropData(recall.ino);
      if (recall.directory) kernel.DropAllNames();
    } else if (recall.directory) {
      kernel.DropAttr(recall.ino);
      for (const std::string& name : recall.names) kernel.DropName(recall.ino, name, manner);
    }
  });
  remote_.AnswerRecall(task->event);
}

void CachedFs::OnLeasesLost(bool reclaim) {
  {
    MutexLock lock(&mu_);
    table_.Clear();
  }
  if (reclaim) {
    for (const OpenArgs& open : lazy_.TakeAll()) {
      remote_.HoldOpen(open.inode, open.open, open.access);
    }
    for (const Handle& inode : write_behind_.Dirty()) remote_.HoldWritten(inode);
    MutexLock lock(&mu_);
    for (const SetLockArgs& held : locks_.TakeAll()) remote_.HoldLock(held);
  }
  // Told as soon as the server hears us, or lost with the session.
  write_behind_.FlushAllThen([] {});
  auto emptying = std::make_shared<Emptying>();
  EmptyAll(emptying, kPassPatience);
  MutexLock lock(&emptying->mu);
  emptying->mu.Await(absl::Condition(&emptying->done));
}

// A pass may be stuck at pages that a request keeps locked which was not read yet when the pass
// came by, and which waits for this to end. The next one knows it, and passes over its pages.
void CachedFs::EmptyAll(const std::shared_ptr<Emptying>& emptying, absl::Duration patience) {
  auto pass = [this, emptying] {
    kernel_.Use([](KernelCache& kernel) {
      kernel.Settle();
      kernel.DropAllNames();
      for (const Ino ino : kernel.Known()) kernel.DropData(ino);
    });
    MutexLock ended(&emptying->mu);
    emptying->done = true;
  };
  emptiers_.PostWatched(std::move(pass), patience,
                        [this, emptying, patience] { EmptyAll(emptying, 2 * patience); });
}

}  // namespace tarn::cache
