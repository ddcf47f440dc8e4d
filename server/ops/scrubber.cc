#include "server/ops/scrubber.h"

#include "common/log.h"
#include "common/timed_wait.h"

namespace tarn::ops {

Scrubber::Scrubber(store::Store& store, const ScrubberOptions& options)
    : store_(store), options_(options), thread_([this] { Work(); }) {}

Scrubber::~Scrubber() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

bool Scrubber::Pause(absl::Duration duration) {
  MutexLock lock(&mu_);
  return !AwaitFor(mu_, absl::Condition(&stopping_), duration);
}

void Scrubber::Work() {
  while (Pause(options_.interval)) Scrub();
}

void Scrubber::Scrub() {
  const store::ScrubReport report = store_.Scrub([this](size_t bytes) {
    const double seconds =
        static_cast<double>(bytes) / static_cast<double>(options_.bytes_per_second);
    return Pause(absl::Seconds(seconds));
  });
  for (const std::string& finding : report.findings) {
    LogError("file system {}: damaged: {}", store_.identity().id, finding);
  }
  findings_ += report.findings.size();
  if (!report.whole) return;
  ++scrubs_;
  LogInfo("file system {}: all {} MiB were read, {} findings", store_.identity().id,
          report.bytes >> 20, report.findings.size());
}

}  // namespace tarn::ops
