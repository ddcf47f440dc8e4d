#include "client/fuse/invalidator.h"

#include <linux/fuse.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "common/limits.h"
#include "common/log.h"
#include "common/timed_wait.h"

namespace tarn::fuse {
namespace {

constexpr size_t kMaxWorkers = 16;
constexpr int64_t kPageBytes = 4096;
// A reply is taken in within microseconds unless its reader is not scheduled.
constexpr absl::Duration kRetryEvery = absl::Microseconds(200);
constexpr int64_t kRetryForNanos = kSecondNanos;

int64_t PageStart(uint64_t offset) {
  return static_cast<int64_t>(offset) / kPageBytes * kPageBytes;
}

int64_t PageEnd(uint64_t end) { return PageStart(end + kPageBytes - 1); }

}  // namespace

Invalidator::Invalidator(InodeTable& inodes) : inodes_(inodes), workers_(kMaxWorkers) {}

void Invalidator::SetSession(fuse_session* session) {
  {
    WriterMutexLock lock(&session_mu_);
    session_ = session;
  }
  MutexLock lock(&end_mu_);
  ended_ = session == nullptr;
}

void Invalidator::Settle() { WriterMutexLock lock(&gate_); }

void Invalidator::RunGated(absl::FunctionRef<void()> hand_over) {
  ReaderMutexLock lock(&gate_);
  hand_over();
}

bool Invalidator::Knows(Ino ino) { return inodes_.Knows(ino); }

std::vector<Ino> Invalidator::Known() { return inodes_.Known(); }

void Invalidator::Notify(Ino ino, int64_t offset, int64_t length) {
  const fuse_ino_t node = Raw(inodes_.NodeOf(ino));
  const int64_t give_up = MonotonicNanos() + kRetryForNanos;
  while (true) {
    int result = 0;
    {
      ReaderMutexLock lock(&session_mu_);
      if (session_ == nullptr) return;
      result = fuse_lowlevel_notify_inval_inode(session_, node, offset, length);
    }
    if (result != -ENOENT || !inodes_.Knows(ino)) return;
    if (MonotonicNanos() >= give_up) {
      // Evicted, and its FORGET not yet read: there is nothing to drop.
      return LogDebug("inode {} stays unknown to the kernel", Raw(ino));
    }
    // Nobody says when the kernel has taken a reply in; only the end of the mount is heard of.
    MutexLock lock(&end_mu_);
    AwaitFor(end_mu_, absl::Condition(&ended_), kRetryEvery);
  }
}

void Invalidator::DropAttr(Ino ino) { Notify(ino, -1, 0); }

// Pages that a request under way keeps locked cannot be read by anybody before it is answered, and
// what it is answered with is newer than the recall.
void Invalidator::DropData(Ino ino) {
  inodes_.NoteContended(ino);
  std::vector<std::pair<int64_t, int64_t>> busy;
  {
    Shard& shard = ShardOf(ino);
    MutexLock lock(&shard.mu);
    const auto it = shard.ranges.find(ino);
    if (it != shard.ranges.end()) {
      for (Range& range : it->second) {
        range.passed_over = true;
        busy.emplace_back(PageStart(range.offset), PageEnd(range.offset + range.size));
      }
    }
  }
  // One call where it will do: whoever asks between two has asked in vain.
  if (!busy.empty()) Notify(ino, -1, 0);
  std::sort(busy.begin(), busy.end());
  int64_t at = 0;
  for (const auto& [start, end] : busy) {
    if (start > at) Notify(ino, at, start - at);
    at = std::max(at, end);
  }
  Notify(ino, at, 0);
}

void Invalidator::DropName(Ino dir, const std::string& name, Manner manner) {
  if (manner == Manner::kForced) return DropAllNames();
  const fuse_ino_t node = Raw(inodes_.NodeOf(dir));
  ReaderMutexLock lock(&session_mu_);
  if (session_ == nullptr) return;
  fuse_lowlevel_notify_inval_entry(session_, node, name.data(), name.size());
}

void Invalidator::DropAllNames() {
  ReaderMutexLock lock(&session_mu_);
  if (session_ == nullptr) return;
  const int result = fuse_lowlevel_notify_increment_epoch(session_);
  if (result != 0) LogError("the kernel cannot drop its names: {}", result);
}

void Invalidator::BeginIo(Io io, Ino ino, uint64_t offset, uint64_t size) {
  Shard& shard = ShardOf(ino);
  MutexLock lock(&shard.mu);
  shard.ranges[ino].push_back({.io = io, .offset = offset, .size = size});
}

void Invalidator::EndIo(Io io, Ino ino, uint64_t offset, uint64_t size) {
  bool passed_over = false;
  {
    Shard& shard = ShardOf(ino);
    MutexLock lock(&shard.mu);
    const auto it = shard.ranges.find(ino);
    if (it == shard.ranges.end()) return;
    Ranges& ranges = it->second;
    const auto range = std::find_if(ranges.begin(), ranges.end(), [&](const Range& r) {
      return r.io == io && r.offset == offset && r.size == size;
    });
    if (range == ranges.end()) return;
    passed_over = range->passed_over;
    ranges.erase(range);
    if (ranges.empty()) shard.ranges.erase(it);
  }
  if (passed_over && io == Io::kWriteBack) DropRangeThen(ino, offset, size, [] {});
}

void Invalidator::DropRangeThen(Ino ino, uint64_t offset, uint64_t size,
                                cache::Workers::Task then) {
  workers_.Post([this, ino, offset, size, then = std::move(then)]() mutable {
    const int64_t start = PageStart(offset);
    const bool to_end = size == kToEnd;
    Notify(ino, start, to_end ? 0 : std::max(PageEnd(offset + size) - start, kPageBytes));
    std::move(then)();
  });
}

void Invalidator::GrowThen(const Attr& attr, uint64_t offset, cache::Workers::Task then) {
  DropRangeThen(attr.ino, offset, kToEnd, [this, attr, then = std::move(then)]() mutable {
    if (!inodes_.HasToldNewer(attr)) {
      Grow(attr.ino, attr.size);
      inodes_.NoteGrown(attr.ino, attr.size);
    }
    std::move(then)();
  });
}

// The kernel takes a file to reach as far as what is stored into its pages, and does so before it
// fetches the bytes. These it cannot fetch: so it grows, and its pages stay as they are. (libfuse
// would complain of the fault on standard error.)
void Invalidator::Grow(Ino ino, uint64_t size) {
  fuse_notify_store_out store{
      .nodeid = Raw(inodes_.NodeOf(ino)), .offset = size - 1, .size = 1, .padding = 0};
  fuse_out_header header{.len = sizeof header + sizeof store + 1,
                         .error = FUSE_NOTIFY_STORE,
                         .unique = 0};
  const iovec parts[] = {{&header, sizeof header}, {&store, sizeof store}, {unreadable_.get(), 1}};
  ReaderMutexLock lock(&session_mu_);
  if (session_ == nullptr) return;
  if (writev(fuse_session_fd(session_), parts, std::size(parts)) < 0 && errno == EFAULT) return;
  LogDebug("inode {} is not made to grow: {}", Raw(ino), strerrorname_np(errno));
}

}  // namespace tarn::fuse
