// One thread that looks after what nobody waits for: it runs a round when woken, or when the last
// round asked for it, and sleeps otherwise.
//
// Thread safety: safe. Lifetime: the destructor (or Stop) lets a running round end, then joins.
#pragma once

#include <functional>
#include <thread>

#include "common/sync.h"


namespace tarn::ops {

class Housekeeper {
 public:
  // Does what is due; returns after which time to be run again, InfiniteDuration for not at all.
  using Round = std::function<absl::Duration()>;

  explicit Housekeeper(Round round) : round_(std::move(round)), thread_([this] { Work(); }) {}
  ~Housekeeper() { Stop(); }
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

  // Runs a round soon, and another one if one is running.
  void Wake();
  void Stop();

 private:
  void Work();

  const Round round_;
  Mutex mu_;
  bool woken_ ABSL_GUARDED_BY(mu_) = true;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace tarn::ops
