// Leases <-> their messages. Errors of Take: EINVAL. Thread safety: pure functions.
#pragma once

#include "common/lease.h"
#include "common/result.h"
#include "proto/session.pb.h"

namespace tarn::wire {

// Into and from the header of a reply. A mode that this release does not know is taken as kNone.
void Fill(const LeaseNews& news, v1::ReplyHeader& header);
LeaseNews LeaseNewsOf(const v1::ReplyHeader& header);

void Fill(const Recall& recall, v1::Recall& message);
// Errors: EINVAL (a mode other than none, shared and exclusive).
Status Take(const v1::Recall& message, Recall& recall);

void Fill(const LeaseReturn& lease, v1::LeaseReturn& message);
LeaseReturn LeaseReturnOf(const v1::LeaseReturn& message);

// Where they go, also in a stream of calls.
inline constexpr const char* kReturnLeasesPath = "/tarn.v1.Session/ReturnLeases";
LeaseAnswers LeaseAnswersOf(const v1::ReturnLeasesRequest& message);

void Fill(const Glimpse& glimpse, v1::Glimpse& message);
Glimpse GlimpseOf(const v1::Glimpse& message);

}  // namespace tarn::wire
