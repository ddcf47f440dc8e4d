// The verbs' front: decodes, asks the session and its slot, delegates to the session's file system,
// encodes. One template for all verbs.
#pragma once

#include "common/clock.h"
#include "common/verbs.h"
#include "proto/filesystem.grpc.pb.h"
#include "server/state/session_table.h"

namespace tarn::rpc {

// The generated service with every verb taken as raw bytes through gRPC's callback API.
using RawFilesystemService =
#define TARN_DECLARE_VERB(verb, args, reply, mutates) v1::Filesystem::WithRawCallbackMethod_##verb<
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
    v1::Filesystem::Service
#define TARN_DECLARE_VERB(verb, args, reply, mutates) >
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
    ;

// Thread safety: safe; handlers run on gRPC's threads and never block.
// Errors, as statuses: INVALID_ARGUMENT (not the message), UNAUTHENTICATED (no such session, or it
// must say Hello first), FAILED_PRECONDITION (slot or sequence), RESOURCE_EXHAUSTED (too much is
// under way from its address: state/request_budget.h), UNAVAILABLE (stopping). Everything else is
// an errno in a reply.
// Lifetime: the table and all file systems outlive the gRPC server, which outlives its calls.
class FilesystemService final : public RawFilesystemService {
 public:
  FilesystemService(state::SessionTable& sessions, Clock& clock)
      : sessions_(sessions), clock_(clock) {}

#define TARN_DECLARE_VERB(verb, args, reply, mutates)                                      \
  grpc::ServerUnaryReactor* verb(grpc::CallbackServerContext* context,                     \
                                 const grpc::ByteBuffer* request, grpc::ByteBuffer* answer) \
      override {                                                                           \
    return Serve<verbs::verb>(context, *request, answer);                                  \
  }
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB

 private:
  template <class V>
  grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer& request, grpc::ByteBuffer* answer);
  template <class V>
  Bytes EncodeReply(const state::Session& session, const Result<typename V::Reply>& result,
                    const LeaseNews* news);

  state::SessionTable& sessions_;
  Clock& clock_;
};

}  // namespace tarn::rpc
