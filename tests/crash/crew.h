// Six workers on three mounts, each with what it was told is done; looks at each other's work.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/crash/worker.h"

namespace tarn::testing {

// TARN_TEST_SEED, or any.
uint64_t Seed();

// Thread safety: Step(i) by one thread for each i, the rest by any.
class Crew {
 public:
  static constexpr int kWorkers = 6;  // two on each mount

  // `roots`: the mounts. Makes what the workers need in the first.
  Crew(std::vector<std::string> roots, uint64_t seed);

  // One step of one worker; a Load::Step.
  std::string Step(int thread);
  // Everything is as it must be, seen through one mount. REQUIRES: nobody steps.
  std::string Check(const std::string& root);
  // What went wrong first.
  std::string first_wrong();
  // Ends what is open and removes everything. REQUIRES: nobody steps.
  void CloseAndRemoveAll();
  const Shared& shared() const { return shared_; }

 private:
  std::string CheckLog(const std::string& root);
  const std::string& root(int i) const { return roots_[static_cast<size_t>(i) % roots_.size()]; }
  Worker& worker(size_t i) { return *workers_[i % kWorkers]; }

  const std::vector<std::string> roots_;
  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Random> randoms_;
  std::mutex mu_;
  std::string first_wrong_;  // Guarded by mu_.
};

// Durations to report.
class Times {
 public:
  void Add(std::chrono::steady_clock::duration time) {
    all_.push_back(std::chrono::duration<double>(time).count());
  }
  void Report(const char* what);

 private:
  std::vector<double> all_;
};

}  // namespace tarn::testing
