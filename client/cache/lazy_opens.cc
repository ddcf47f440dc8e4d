#include "client/cache/lazy_opens.h"

#include <algorithm>
#include <atomic>
#include <memory>

namespace tarn::cache {

void LazyOpens::Add(const Caller& caller, const OpenArgs& args) {
  MutexLock lock(&mu_);
  Lazy& lazy = opens_[args.open];
  lazy.caller = caller;
  lazy.caller.cancellation = nullptr;  // of the open(2), which is over
  lazy.caller.leases = nullptr;
  lazy.args = args;
  by_ino_[args.inode.ino].push_back(args.open);
}

void LazyOpens::Unlink(Ino ino, OpenId open) {
  const auto it = by_ino_.find(ino);
  if (it == by_ino_.end()) return;
  auto& opens = it->second;
  opens.erase(std::remove(opens.begin(), opens.end(), open), opens.end());
  if (opens.empty()) by_ino_.erase(it);
}

bool LazyOpens::Drop(OpenId open) {
  MutexLock lock(&mu_);
  const auto it = opens_.find(open);
  if (it == opens_.end() || it->second.registering) return false;
  Unlink(it->second.args.inode.ino, open);
  opens_.erase(it);
  return true;
}

bool LazyOpens::IsOpen(Ino ino) const {
  MutexLock lock(&mu_);
  return by_ino_.contains(ino);
}

std::optional<OpenAccess> LazyOpens::AccessOf(OpenId open) const {
  MutexLock lock(&mu_);
  const auto it = opens_.find(open);
  if (it == opens_.end()) return std::nullopt;
  return it->second.args.access;
}

std::optional<Caller> LazyOpens::OpenerOf(OpenId open, OpenAccess access) const {
  MutexLock lock(&mu_);
  const auto it = opens_.find(open);
  if (it == opens_.end() || it->second.registering || it->second.args.execute) return std::nullopt;
  if ((Raw(it->second.args.access) & Raw(access)) != Raw(access)) return std::nullopt;
  return it->second.caller;
}

void LazyOpens::Register(OpenId open, Then then) {
  Caller caller;
  OpenArgs args;
  {
    MutexLock lock(&mu_);
    const auto it = opens_.find(open);
    if (it != opens_.end()) {
      it->second.waiting.push_back(std::move(then));
      if (std::exchange(it->second.registering, true)) return;
      caller = it->second.caller;
      caller.keeps_late_open = true;
      args = it->second.args;
    }
  }
  if (then) return std::move(then)(Ok());
  fs_.Open(caller, args, [this, open](Result<OpenReply> result) {
    OnRegistered(open, result.ok() ? Ok() : Status(result.error()));
  });
}

void LazyOpens::OnRegistered(OpenId open, const Status& status) {
  absl::InlinedVector<Then, 1> waiting;
  {
    MutexLock lock(&mu_);
    const auto it = opens_.find(open);
    if (it == opens_.end()) return;
    waiting = std::move(it->second.waiting);
    Unlink(it->second.args.inode.ino, open);
    opens_.erase(it);
  }
  for (Then& then : waiting) std::move(then)(status);
}

void LazyOpens::RegisterAll(Ino ino, absl::AnyInvocable<void() &&> then) {
  absl::InlinedVector<OpenId, 2> opens;
  {
    MutexLock lock(&mu_);
    if (const auto it = by_ino_.find(ino); it != by_ino_.end()) opens = it->second;
  }
  if (opens.empty()) return std::move(then)();
  struct Countdown {
    std::atomic<size_t> left;
    absl::AnyInvocable<void() &&> then;
  };
  auto countdown = std::make_shared<Countdown>();
  countdown->left = opens.size();
  countdown->then = std::move(then);
  for (const OpenId open : opens) {
    Register(open, [countdown](const Status&) {
      if (countdown->left.fetch_sub(1) == 1) std::move(countdown->then)();
    });
  }
}

std::vector<OpenArgs> LazyOpens::TakeAll() {
  std::vector<OpenArgs> taken;
  MutexLock lock(&mu_);
  absl::erase_if(opens_, [&](auto& entry) {
    if (entry.second.registering) return false;
    taken.push_back(entry.second.args);
    return true;
  });
  by_ino_.clear();
  for (const auto& [open, lazy] : opens_) by_ino_[lazy.args.inode.ino].push_back(open);
  return taken;
}

}  // namespace tarn::cache
