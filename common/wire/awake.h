// gRPC's threads for callbacks, kept awake.
#pragma once

namespace tarn::wire {

// They wait for events for a second at a time, and each sleeps for 100 ms after a second without
// any; while both of them do, what arrives lies there. So whoever came after a quiet second waited
// for up to 100 ms, at either end: half of all calls did, 40 ms on the average (gRPC 1.51,
// src/cpp/common/completion_queue_cc.cc). From now on they do not sleep, but wait again at once.
// Thread safety: safe. For the process, for ever.
void KeepCallbackThreadsAwake();

}  // namespace tarn::wire
