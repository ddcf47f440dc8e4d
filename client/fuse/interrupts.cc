#include "client/fuse/interrupts.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/timed_wait.h"

namespace tarn::fuse {
namespace {

constexpr uint64_t Bit(int signal) {
  return uint64_t{1} << (signal - 1);
}

// Signals whose default action does not end a process.
constexpr uint64_t kHarmless = Bit(SIGCHLD) | Bit(SIGCONT) | Bit(SIGSTOP) | Bit(SIGTSTP) |
                               Bit(SIGTTIN) | Bit(SIGTTOU) | Bit(SIGURG) | Bit(SIGWINCH);

// The mask in the line that starts with `label`.
std::optional<uint64_t> Mask(std::string_view status, std::string_view label) {
  size_t at = status.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  status.remove_prefix(at + label.size());
  status.remove_prefix(std::min(status.find_first_not_of(" \t"), status.size()));
  uint64_t mask = 0;
  auto [end, error] = std::from_chars(status.data(), status.data() + status.size(), mask, 16);
  if (error != std::errc()) return std::nullopt;
  return mask;
}

// The text of /proc/TID/`file`; empty if it cannot be had.
std::string ReadProc(pid_t thread, const char* file) {
  std::string text;
  if (thread <= 0) return text;
  int fd = open(("/proc/" + std::to_string(thread) + "/" + file).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  std::array<char, 4096> piece;
  ssize_t n = 0;
  while ((n = read(fd, piece.data(), piece.size())) > 0) text.append(piece.data(), n);
  close(fd);
  return text;
}

}  // namespace

bool StatusShowsDeath(std::string_view status) {
  auto own = Mask(status, "\nSigPnd:"), shared = Mask(status, "\nShdPnd:");
  auto blocked = Mask(status, "\nSigBlk:"), ignored = Mask(status, "\nSigIgn:");
  auto caught = Mask(status, "\nSigCgt:");
  if (!own || !shared || !blocked || !ignored || !caught) return false;
  // A signal that ends the process is turned into SIGKILL for each of its threads, but for those
  // that dump core.
  uint64_t pending = *own | *shared;
  if ((pending & Bit(SIGKILL)) != 0) return true;
  return (pending & ~(*blocked | *ignored | *caught | kHarmless)) != 0;
}

bool StatShowsKilled(std::string_view stat) {
  constexpr uint64_t kSignaled = 0x400;  // PF_SIGNALED of the kernel
  constexpr size_t kFlags = 7;           // after the name, which may hold anything
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return false;
  const std::vector<std::string> fields =
      absl::StrSplit(std::string(stat.substr(name_end)), ' ');
  uint64_t flags = 0;
  return fields.size() > kFlags && absl::SimpleAtoi(fields[kFlags], &flags) &&
         (flags & kSignaled) != 0;
}

bool IsDying(pid_t thread) {
  // The masks come after the groups, of which there may be many.
  return StatusShowsDeath(ReadProc(thread, "status")) || StatShowsKilled(ReadProc(thread, "stat"));
}

std::string NameOf(pid_t thread) {
  std::string name = ReadProc(thread, "comm");
  while (name.ends_with('\n')) name.pop_back();
  return name;
}

Interrupter::Interrupter(Judge is_dying, absl::Duration period)
    : is_dying_(std::move(is_dying)), period_(period), thread_([this] { Loop(); }) {}

Interrupter::~Interrupter() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void Interrupter::Push(std::weak_ptr<Cancellation> call, pid_t thread, Interruption by) {
  MutexLock lock(&mu_);
  arrived_.push_back({std::move(call), thread, by});
}

void Interrupter::Watch(std::weak_ptr<Cancellation> call, pid_t thread) {
  MutexLock lock(&mu_);
  unhurried_.push_back({std::move(call), thread, Interruption::kDeath});
}

void Interrupter::Loop() {
  std::vector<Wish> watched;
  bool ticks = false;  // wakes once a period, whatever comes
  auto something = [this, &ticks]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || !arrived_.empty() || (!ticks && !unhurried_.empty());
  };
  while (true) {
    std::vector<Wish> unhurried;
    {
      MutexLock lock(&mu_);
      AwaitFor(mu_, absl::Condition(&something), ticks ? period_ : absl::InfiniteDuration());
      if (stopping_) return;
      std::move(arrived_.begin(), arrived_.end(), std::back_inserter(watched));
      arrived_.clear();
      unhurried.swap(unhurried_);
      ticks = !watched.empty() || !unhurried.empty();
    }
    std::erase_if(watched, [this](const Wish& wish) {
      std::shared_ptr<Cancellation> call = wish.call.lock();
      if (call == nullptr) return true;
      if (wish.by != Interruption::kAny && !is_dying_(wish.thread)) return false;
      call->Cancel();
      return true;
    });
    std::move(unhurried.begin(), unhurried.end(), std::back_inserter(watched));
  }
}

}  // namespace tarn::fuse
