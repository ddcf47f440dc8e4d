#include "tests/crash/crew.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

namespace tarn::testing {

uint64_t Seed() {
  const char* given = std::getenv("TARN_TEST_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("TARN_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

Crew::Crew(std::vector<std::string> roots, uint64_t seed) : roots_(std::move(roots)) {
  EXPECT_EQ(mkdir((root(0) + "/shared").c_str(), 0755), 0);
  EXPECT_EQ(Write(root(0) + "/shared/counter", ""), 0);
  for (int i = 0; i < kWorkers; ++i) {
    const std::vector<std::string> mine = {root(i), root(i + 1), root(i + 2)};
    workers_.push_back(std::make_unique<Worker>(mine, i, shared_));
    randoms_.emplace_back(seed + static_cast<uint64_t>(i));
  }
}

std::string Crew::Step(int thread) {
  Random& random = randoms_[static_cast<size_t>(thread)];
  // The caches of the other mounts stay warm, and must show just what the worker knows.
  const std::string wrong = random() % 3 == 0 ? worker(random()).LookFrom(root(thread), random)
                                              : worker(static_cast<size_t>(thread)).Step(random);
  const std::lock_guard lock(mu_);
  if (first_wrong_.empty()) first_wrong_ = wrong;
  return wrong;
}

std::string Crew::first_wrong() {
  const std::lock_guard lock(mu_);
  return first_wrong_;
}

void Crew::CloseAndRemoveAll() {
  for (auto& worker : workers_) worker->CloseAll();
  EXPECT_EQ(RunShell("cd \"$1\" && rm -rf -- *", {root(1)}).status, 0);
}

std::string Crew::CheckLog(const std::string& root) {
  const std::string log = Read(root + "/shared/log");
  std::vector<int> next(kWorkers, 0);
  const size_t size = Worker::Record(0, 0).size();
  for (size_t at = 0; at < log.size(); at += size) {
    const std::string record = log.substr(at, size);
    const auto id = static_cast<size_t>(std::atoi(record.c_str())) % kWorkers;
    if (record != Worker::Record(static_cast<int>(id), next[id])) {
      return "the log holds '" + record + "' where " + std::to_string(next[id]) + " was next";
    }
    ++next[id];
  }
  for (size_t id = 0; id < kWorkers; ++id) {
    if (next[id] != worker(id).logged()) return "the log lacks records";
  }
  return "";
}

std::string Crew::Check(const std::string& root) {
  int claims = 0;
  for (size_t id = 0; id < kWorkers; ++id) {
    if (std::string wrong = worker(id).CheckAll(root); !wrong.empty()) return wrong;
    claims = std::max(claims, worker(id).claimed());
  }
  for (int i = 0; i < claims; ++i) {
    const int winners = shared_.winners[static_cast<size_t>(i)];
    if (winners != 1) {
      return "claim " + std::to_string(i) + " has " + std::to_string(winners) + " winners";
    }
  }
  uint64_t value = 0;
  const std::string counter = Read(root + "/shared/counter");
  if (shared_.rounds != 0 && counter.size() != sizeof value) return "the counter: " + counter;
  std::memcpy(&value, counter.data(), std::min(counter.size(), sizeof value));
  if (value != shared_.rounds) {
    return "counted to " + std::to_string(value) + " in " + std::to_string(shared_.rounds) +
           " rounds";
  }
  return CheckLog(root);
}

void Times::Report(const char* what) {
  if (all_.empty()) return;
  std::sort(all_.begin(), all_.end());
  std::printf("%s: %zu times, median %.2f s, worst %.2f s\n", what, all_.size(),
              all_[all_.size() / 2], all_.back());
}

}  // namespace tarn::testing
