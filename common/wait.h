// The synchronous form of a verb, for tests and tools. Never for a thread that serves requests.
#pragma once

#include "common/sync.h"
#include "common/verbs.h"

namespace tarn {

// Runs `V` and waits for its answer: Wait<verbs::Rename>(fs, caller, {...}).
template <class V>
Result<typename V::Reply> Wait(FileSystem& fs, const Caller& caller, typename V::Args args) {
  Notification ready;
  std::optional<Result<typename V::Reply>> answer;
  V::Call(fs, caller, std::move(args), [&](Result<typename V::Reply> result) {
    answer.emplace(std::move(result));
    ready.Notify();
  });
  ready.WaitForNotification();
  return *std::move(answer);
}

}  // namespace tarn
