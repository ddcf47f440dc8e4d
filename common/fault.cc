#include "common/fault.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/log.h"
#include "common/sync.h"

namespace tarn {
namespace {

struct Point {
  std::string_view name;
  bool can_fail;
};
// In the order of FaultPoint.
constexpr std::array kPoints = {
    Point{"commit.before", true}, Point{"commit.after", false},
    Point{"request.admit", true}, Point{"reply.send", true},
    Point{"fence.before", true},  Point{"fence.after", false},
    Point{"recall.send", true},   Point{"grace.end", false},
    Point{"wal.sync", true},      Point{"wal.synced", false},
    Point{"client.send", true},   Point{"client.reply", false},
    Point{"client.recall.answer", false},
};
static_assert(kPoints.size() == static_cast<size_t>(FaultPoint::kClientRecallAnswer) + 1);

struct Fault {
  size_t point = 0;
  enum class Action : uint8_t { kCrash, kFail, kDelay } action = Action::kCrash;
  double probability = 1;
  absl::Duration delay;
  std::optional<uint64_t> only;  // the hit that counts; else each does
  uint64_t hits = 0;
};

struct Armed {
  Mutex mu;
  std::vector<Fault> faults ABSL_GUARDED_BY(mu);
};
Armed& TheArmed() {
  static Armed* const armed = new Armed;  // for threads that outlive main
  return *armed;
}

Error Bad(std::string_view text, const std::string& why) {
  return {Errno::kEINVAL, "fault '" + std::string(text) + "': " + why};
}

Result<Fault> ParseFault(std::string_view text) {
  Fault fault;
  const std::vector<std::string> at = absl::StrSplit(std::string(text), '@');
  uint64_t only = 0;
  if (at.size() > 2 || (at.size() == 2 && (!absl::SimpleAtoi(at[1], &only) || only == 0))) {
    return Bad(text, "after @ stands the number of the time that counts");
  }
  if (at.size() == 2) fault.only = only;
  const std::pair<std::string, std::string> parts = absl::StrSplit(at[0], absl::MaxSplits('=', 1));
  const auto point = std::find_if(kPoints.begin(), kPoints.end(),
                                  [&](const Point& one) { return one.name == parts.first; });
  if (point == kPoints.end()) return Bad(text, "there is no such point");
  fault.point = static_cast<size_t>(point - kPoints.begin());
  const std::pair<std::string, std::string> action =
      absl::StrSplit(parts.second, absl::MaxSplits(':', 1));
  if (action.first == "crash" && action.second.empty()) return fault;
  if (action.first == "delay") {
    fault.action = Fault::Action::kDelay;
    const bool read = absl::ParseDuration(action.second, &fault.delay);
    if (!read || fault.delay < absl::ZeroDuration() || fault.delay > absl::Hours(1)) {
      return Bad(text, "a delay is said like 200ms");
    }
    return fault;
  }
  if (action.first != "fail") return Bad(text, "what to do is crash, fail or delay:TIME");
  if (!point->can_fail) return Bad(text, "this point has no failure");
  fault.action = Fault::Action::kFail;
  const bool read = action.second.empty() || absl::SimpleAtod(action.second, &fault.probability);
  if (!read || !(fault.probability >= 0 && fault.probability <= 1)) {
    return Bad(text, "a probability is between 0 and 1");
  }
  return fault;
}

}  // namespace

Status ArmFaults(std::string_view list) {
  std::vector<Fault> faults;
  Status parsed = Ok();
  const std::vector<std::string> parts =
      absl::StrSplit(std::string(list), ';', absl::SkipEmpty());
  for (const std::string& one : parts) {
    Result<Fault> fault = ParseFault(one);
    if (!fault.ok()) {
      parsed = fault.error();
      faults.clear();
      break;
    }
    faults.push_back(*fault);
  }
  Armed& armed = TheArmed();
  MutexLock lock(&armed.mu);
  internal::faults_armed.store(!faults.empty(), std::memory_order_relaxed);
  armed.faults = std::move(faults);
  return parsed;
}

Status ArmFaultsFromEnvironment() {
  const char* const list = std::getenv("TARN_FAULTS");
  if (list == nullptr || *list == '\0') return Ok();
  LogWarning("faults are armed: {}", list);
  return ArmFaults(list);
}

namespace internal {

bool HitFault(FaultPoint point) {
  bool fails = false;
  absl::Duration delay = absl::ZeroDuration();
  {
    thread_local absl::InsecureBitGen random;
    Armed& armed = TheArmed();
    MutexLock lock(&armed.mu);
    for (Fault& fault : armed.faults) {
      if (fault.point != static_cast<size_t>(point)) continue;
      ++fault.hits;
      if (fault.only.has_value() && fault.hits != *fault.only) continue;
      if (fault.action == Fault::Action::kCrash) _exit(kFaultExitStatus);
      if (fault.action == Fault::Action::kDelay) delay += fault.delay;
      if (fault.action == Fault::Action::kFail) {
        fails = fails || fault.probability >= absl::Uniform(random, 0.0, 1.0);
      }
    }
  }
  if (delay > absl::ZeroDuration()) {
    poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(delay)));
  }
  return fails;
}

}  // namespace internal
}  // namespace tarn
