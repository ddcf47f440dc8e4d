// Named fault points: places where a test can have a process fail, wait or die. They are compiled
// into every build and cost one relaxed load while none is armed.
//
// Armed by the environment variable TARN_FAULTS, which tarnd and tarn read at their start, or by
// ArmFaults; a list of
//
//   POINT=crash           the process ends at once, with kFaultExitStatus, as if it were killed
//   POINT=fail            the point's failure, below; each time, or
//   POINT=fail:0.1        with that probability
//   POINT=delay:200ms     whoever comes there waits first
//   …@3                   only the third time; without it every time
//
// separated by semicolons: TARN_FAULTS='commit.after=crash@3;reply.send=fail:0.01'
//
//   point                 where                                               its failure
//   commit.before         the batch of an operation is about to be written    EIO
//   commit.after          it is written, nobody has heard                     –
//   request.admit         a request has arrived                               no room: later
//   reply.send            a verb's answer is about to be sent                 it is lost
//   fence.before          a session is about to be put on record as fenced    EIO, not fenced
//   fence.after           it is, and still holds what it held                 –
//   recall.send           an event is about to be sent to a client            it is lost
//   grace.end             every session has reclaimed, or is overdue          –
//   wal.sync              the log is about to be synced                       EIO
//   wal.synced            it is, nobody has heard                             –
//   client.send           a request is about to be sent                       as if it were lost
//   client.reply          an answer has arrived, the maker has not heard      –
//   client.recall.answer  a recall was done, the server has not heard         –
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "common/result.h"

namespace tarn {

enum class FaultPoint : uint8_t {
  kCommitBefore,
  kCommitAfter,
  kRequestAdmit,
  kReplySend,
  kFenceBefore,
  kFenceAfter,
  kRecallSend,
  kGraceEnd,
  kWalSync,
  kWalSynced,
  kClientSend,
  kClientReply,
  kClientRecallAnswer,
};

inline constexpr int kFaultExitStatus = 86;

// Arms what the list says, in place of what was armed. Errors: EINVAL with a sentence, then nothing
// is armed. Thread safety: safe.
Status ArmFaults(std::string_view list);
// What TARN_FAULTS says, if it is set; says so in the log. Errors: as ArmFaults.
Status ArmFaultsFromEnvironment();

namespace internal {
inline std::atomic<bool> faults_armed = false;
bool HitFault(FaultPoint point);
}  // namespace internal

// To be called at the point. True: fail as the table says. Any thread; may wait, and not return.
inline bool FaultHits(FaultPoint point) {
  return internal::faults_armed.load(std::memory_order_relaxed) && internal::HitFault(point);
}

}  // namespace tarn
