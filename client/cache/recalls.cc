// CachedFs's answers to recalls, and what it does when all leases are lost.
#include <utility>

#include "client/cache/cached_fs.h"
#include "common/log.h"

namespace tarn::cache {
namespace {

// So long a request of this mount may keep a recall waiting before it is done by force.
constexpr absl::Duration kPatience = absl::Milliseconds(20);

}  // namespace

struct CachedFs::RecallTask {
  uint64_t event = 0;
  Recall recall;
  KernelCache::Manner manner = KernelCache::Manner::kGentle;
};

void CachedFs::OnRecall(uint64_t event, Recall recall) {
  if (ignore_recalls_) return remote_.AnswerRecall(event);
  auto task = std::make_shared<RecallTask>();
  task->event = event;
  {
    MutexLock lock(&mu_);
    // A change of ours holds the directory's lock in the kernel, and may wait for this very answer.
    if (table_.Changing(recall.ino)) task->manner = KernelCache::Manner::kForced;
    table_.Apply(recall);
  }
  task->recall = std::move(recall);
  workers_.PostWatched([this, task] { RegisterThenEmpty(task, task->manner); }, kPatience,
                       [this, task] { EmptyByForce(task); });
}

void CachedFs::RegisterThenEmpty(const std::shared_ptr<RecallTask>& task,
                                 KernelCache::Manner manner) {
  Settle();
  if (!lazy_.IsOpen(task->recall.ino)) return EmptyKernel(task, manner);
  // The answer comes on a thread that must not wait.
  lazy_.RegisterAll(task->recall.ino, [this, task, manner] {
    workers_.PostWatched([this, task, manner] { EmptyKernel(task, manner); }, kPatience,
                         [this, task] { EmptyByForce(task); });
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
  {
    ReaderMutexLock lock(&kernel_mu_);
    if (kernel_ == nullptr) {
    } else if (recall.to == LeaseMode::kNone) {
      kernel_->DropData(recall.ino);
      if (recall.directory) kernel_->DropAllNames();
    } else {
      kernel_->DropAttr(recall.ino);
      for (const std::string& name : recall.names) kernel_->DropName(recall.ino, name, manner);
    }
  }
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
  }
  ReaderMutexLock lock(&kernel_mu_);
  if (kernel_ == nullptr) return;
  kernel_->Settle();
  kernel_->DropAllNames();
  for (const Ino ino : kernel_->Known()) kernel_->DropData(ino);
}

}  // namespace tarn::cache
