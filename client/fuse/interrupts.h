// Signals that reach processes while their requests wait for an answer.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/cancellation.h"
#include "common/sync.h"

namespace tarn::fuse {

// True if `status` (the text of /proc/TID/status) shows a pending signal that will end the process.
bool StatusShowsDeath(std::string_view status);
// True if `stat` (the text of /proc/TID/stat) shows that a signal has ended the process, which is
// now closing its files.
bool StatShowsKilled(std::string_view stat);
// A signal that will end it is pending for the thread, or one has ended it; false if nothing is
// known of it.
bool IsDying(pid_t thread);

// The thread's name as /proc/TID/comm has it; empty: unknown.
std::string NameOf(pid_t thread);

// Which signals end a wait.
enum class Interruption {
  kAny,   // waiting for a lock: every signal, as fcntl(2) says
  kDeath  // everything else: a program does not expect EINTR from stat or write because of a timer
};

// Cancels calls whose process was signalled.
//
// The kernel says once that *a* signal came, not which. What must not end by any signal is watched
// from then on, until its process is dying or the call is over.
// Thread safety: safe. Push never blocks and cancels nothing itself, for libfuse calls it with the
// request's lock held; the answer that a cancelled call gives takes that lock.
class Interrupter {
 public:
  using Judge = std::function<bool(pid_t)>;
  explicit Interrupter(Judge is_dying = IsDying, absl::Duration period = absl::Seconds(1));
  ~Interrupter();

  void Push(std::weak_ptr<Cancellation> call, pid_t thread, Interruption by);
  // Watches a call of which the kernel says nothing, even if its process is killed: the FLUSH of a
  // close. It is first looked at after a period or two, for that costs no wake-up.
  void Watch(std::weak_ptr<Cancellation> call, pid_t thread);

 private:
  struct Wish {
    std::weak_ptr<Cancellation> call;
    pid_t thread;
    Interruption by;
  };
  void Loop();

  const Judge is_dying_;
  const absl::Duration period_;
  Mutex mu_;
  std::vector<Wish> arrived_ ABSL_GUARDED_BY(mu_);
  std::vector<Wish> unhurried_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace tarn::fuse
