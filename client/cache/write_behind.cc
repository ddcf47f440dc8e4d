#include "client/cache/write_behind.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "common/timed_wait.h"

namespace tarn::cache {
namespace {

void AddOnce(absl::InlinedVector<OpenId, 2>& opens, OpenId open) {
  if (std::find(opens.begin(), opens.end(), open) == opens.end()) opens.push_back(open);
}

}  // namespace

WriteBehind::WriteBehind(Clock& clock, const WriteBehindOptions& options, Ends ends)
    : clock_(clock), options_(options), ends_(std::move(ends)), thread_([this] { Run(); }) {}

WriteBehind::~WriteBehind() {
  Stop();
}

void WriteBehind::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

bool WriteBehind::Put(PutWrite write) {
  const Ino ino = write.inode.ino;
  const size_t n = write.data.size();
  MutexLock lock(&mu_);
  std::unique_ptr<File>& slot = files_[ino];
  if (slot == nullptr) {
    slot = std::make_unique<File>();
    slot->server_size = write.size_before;
  }
  File& file = *slot;
  const size_t held = file.fresh.bytes() + file.sending.bytes();
  if (held + n > options_.max_file_bytes || bytes_.load() + n > options_.max_bytes) {
    if (held == 0 && file.waiting.empty()) files_.erase(ino);
    return false;
  }
  if (file.fresh.empty()) file.since_nanos = clock_.BootNanos();
  AddOnce(file.opens, write.open);
  const size_t before = file.fresh.bytes();
  file.fresh.Put(write.offset, std::exchange(write.data, {}));
  bytes_.fetch_add(file.fresh.bytes() - before, std::memory_order_release);
  file.last = std::move(write);
  return true;
}

void WriteBehind::SendIfLarge(Ino ino) {
  std::optional<Sending> sending;
  {
    MutexLock lock(&mu_);
    const auto it = files_.find(ino);
    if (it == files_.end() || it->second->fresh.bytes() < options_.send_at_bytes) return;
    sending = Begin(ino, *it->second);
  }
  if (sending.has_value()) Send(*std::move(sending));
}

bool WriteBehind::IsDirty(Ino ino) const {
  if (empty()) return false;
  MutexLock lock(&mu_);
  return files_.contains(ino);
}

bool WriteBehind::HasFresh(Ino ino) const {
  if (empty()) return false;
  MutexLock lock(&mu_);
  const auto it = files_.find(ino);
  return it != files_.end() && !it->second->fresh.empty();
}

WriteBehind::Overlap WriteBehind::Look(Ino ino, uint64_t offset, uint64_t n, Bytes& data) const {
  if (empty()) return Overlap::kNone;
  MutexLock lock(&mu_);
  const auto it = files_.find(ino);
  if (it == files_.end()) return Overlap::kNone;
  const File& file = *it->second;
  const bool fresh = file.fresh.Touches(offset, n);
  const bool sending = file.sending.Touches(offset, n);
  if (!fresh && !sending) return Overlap::kNone;
  const DirtyData& one = fresh ? file.fresh : file.sending;
  if ((fresh && sending) || !one.Covers(offset, n)) return Overlap::kSome;
  data = one.Copy(offset, n);
  return Overlap::kAll;
}

uint64_t WriteBehind::ServerSize(Ino ino) const {
  MutexLock lock(&mu_);
  const auto it = files_.find(ino);
  return it == files_.end() ? 0 : it->second->server_size;
}

void WriteBehind::FlushThen(Ino ino, Then then) {
  std::optional<Sending> sending;
  if (!empty()) {
    MutexLock lock(&mu_);
    if (const auto it = files_.find(ino); it != files_.end()) {
      File& file = *it->second;
      const bool later = !file.fresh.empty();
      file.waiting.push_back({file.generation + (later ? 1 : 0), std::move(then)});
      then = nullptr;
      sending = Begin(ino, file);
    }
  }
  if (then) return std::move(then)();
  if (sending.has_value()) Send(*std::move(sending));
}

void WriteBehind::FlushAllThen(Then then) {
  struct Countdown {
    std::atomic<size_t> left;
    Then then;
  };
  const std::vector<Handle> dirty = Dirty();
  if (dirty.empty()) return std::move(then)();
  auto countdown = std::make_shared<Countdown>();
  countdown->left = dirty.size();
  countdown->then = std::move(then);
  for (const Handle& inode : dirty) {
    FlushThen(inode.ino, [countdown] {
      if (countdown->left.fetch_sub(1) == 1) std::move(countdown->then)();
    });
  }
}

std::vector<Handle> WriteBehind::Dirty() const {
  std::vector<Handle> dirty;
  MutexLock lock(&mu_);
  for (const auto& [ino, file] : files_) dirty.push_back(file->last.inode);
  return dirty;
}

std::string WriteBehind::Summary() const {
  const size_t files = Dirty().size();
  if (files == 0) return "";
  return std::to_string(files) + (files == 1 ? " file, " : " files, ") +
         std::to_string((bytes_.load() + 1023) / 1024) + " KiB";
}

std::optional<WriteBehind::Sending> WriteBehind::Begin(Ino ino, File& file) {
  if (file.unanswered > 0 || file.fresh.empty()) return std::nullopt;
  file.sending = std::exchange(file.fresh, {});
  file.sending_opens.clear();
  file.sending_opens.swap(file.opens);
  ++file.generation;
  file.attr = {};
  file.error.reset();
  Sending sending{ino, file.last, file.sending.Pieces(kRecordMaxBytes)};
  file.unanswered = sending.pieces.size();
  return sending;
}

void WriteBehind::Send(Sending sending) {
  for (DirtyData::Piece& piece : sending.pieces) {
    // What the write drops was looked at when it was put: nothing.
    WriteArgs args{.inode = sending.like.inode,
                   .open = sending.like.open,
                   .offset = piece.offset,
                   .mapped = true,
                   .made = sending.like.made,
                   .data = std::move(piece.data)};
    ends_.send(
        sending.like.caller, std::move(args),
        [this, ino = sending.ino](const Result<WriteReply>& result) { OnAnswer(ino, result); });
  }
}

void WriteBehind::OnAnswer(Ino ino, const Result<WriteReply>& result) {
  std::optional<Error> error;
  std::vector<OpenId> opens;
  Attr attr;
  {
    MutexLock lock(&mu_);
    File& file = *files_.at(ino);
    if (!result.ok() && !file.error.has_value()) file.error = result.error();
    if (result.ok() && result->attr.version > file.attr.version) file.attr = result->attr;
    if (file.unanswered > 1) {
      --file.unanswered;
      return;
    }
    error = file.error;
    opens.assign(file.sending_opens.begin(), file.sending_opens.end());
    attr = file.attr;
  }
  // The file still counts as dirty while its owner learns of the end.
  if (error.has_value()) {
    ends_.failed(ino, *error, opens);
  } else {
    ends_.told(attr);
  }
  std::vector<Waiter> ready;
  std::optional<Sending> next;
  {
    MutexLock lock(&mu_);
    File& file = *files_.at(ino);
    bytes_.fetch_sub(file.sending.bytes(), std::memory_order_release);
    file.sending = {};
    file.unanswered = 0;
    const auto split = std::partition(
        file.waiting.begin(), file.waiting.end(),
        [&file](const Waiter& waiter) { return waiter.generation > file.generation; });
    std::move(split, file.waiting.end(), std::back_inserter(ready));
    file.waiting.erase(split, file.waiting.end());
    const bool wanted = !file.waiting.empty() || file.fresh.bytes() >= options_.send_at_bytes;
    if (file.fresh.empty()) {
      files_.erase(ino);
    } else if (wanted) {
      next = Begin(ino, file);
    }
  }
  if (next.has_value()) Send(*std::move(next));
  for (Waiter& waiter : ready) std::move(waiter.then)();
}

void WriteBehind::Run() {
  const absl::Duration pause = absl::Nanoseconds(std::max<int64_t>(options_.delay_nanos / 4, 1));
  while (true) {
    std::vector<Sending> due;
    {
      MutexLock lock(&mu_);
      const auto stopping = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stopping_; };
      if (AwaitFor(mu_, absl::Condition(&stopping), pause)) return;
      const int64_t now = clock_.BootNanos();
      for (auto& [ino, file] : files_) {
        if (file->fresh.empty() || now - file->since_nanos < options_.delay_nanos) continue;
        if (auto sending = Begin(ino, *file); sending.has_value())
          due.push_back(*std::move(sending));
      }
    }
    for (Sending& sending : due) Send(std::move(sending));
  }
}

}  // namespace tarn::cache
