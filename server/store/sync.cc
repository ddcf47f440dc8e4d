#include "server/store/sync.h"

#include <optional>
#include <utility>

#include "common/fault.h"
#include "common/sync.h"

namespace tarn::store {

WalSync::WalSync(Kv& kv) : kv_(kv), thread_([this] { Run(); }) {}

WalSync::~WalSync() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  thread_.join();
}

void WalSync::Sync(Done<Unit> done) {
  MutexLock lock(&mu_);
  waiting_.push_back(std::move(done));
}

Status WalSync::SyncAndWait() {
  Notification ready;
  std::optional<Status> answer;
  Sync([&](Status status) {
    answer.emplace(std::move(status));
    ready.Notify();
  });
  ready.WaitForNotification();
  return *std::move(answer);
}

void WalSync::Run() {
  uint64_t synced = 0;  // value of writes_ up to which everything is durable
  for (;;) {
    std::vector<Done<Unit>> answered;
    {
      MutexLock lock(&mu_, absl::Condition(this, &WalSync::HasWork));
      if (waiting_.empty()) return;  // stopped, and everybody is answered
      answered.swap(waiting_);
    }
    const uint64_t writes = writes_.load();
    Status status = Ok();
    if (FaultHits(FaultPoint::kWalSync)) {
      status = Errno::kEIO;
    } else if (writes != synced) {
      status = kv_.SyncWal();
    }
    if (status.ok()) synced = writes;
    (void)FaultHits(FaultPoint::kWalSynced);
    for (Done<Unit>& done : answered) std::move(done)(status);
  }
}

}  // namespace tarn::store
