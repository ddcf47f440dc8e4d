// The verbs' front: decodes, asks the session and its slot, delegates to the session's file system,
// encodes. One template for all verbs, whichever way a call comes.
#pragma once

#include <memory>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "common/clock.h"
#include "common/verbs.h"
#include "common/wire/convert.h"
#include "proto/filesystem.grpc.pb.h"
#include "server/rpc/arrival.h"
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
  FilesystemService(state::SessionTable& sessions, Clock& clock);

#define TARN_DECLARE_VERB(verb, args, reply, mutates)                                      \
  grpc::ServerUnaryReactor* verb(grpc::CallbackServerContext* context,                     \
                                 const grpc::ByteBuffer* request, grpc::ByteBuffer* answer) \
      override {                                                                           \
    return ServeAlone<verbs::verb>(*request, answer);                                      \
  }
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB

  // A call of the rpc at `path` that came in a stream. False: this service has none such.
  bool Take(std::string_view path, const Bytes& request, Arrival& arrival);

 private:
  template <class V>
  grpc::ServerUnaryReactor* ServeAlone(const grpc::ByteBuffer& request, grpc::ByteBuffer* answer);
  template <class V>
  void Serve(const Bytes& request, Arrival& arrival);
  // What the session has admitted.
  template <class V>
  void Run(const std::shared_ptr<state::Session>& session, RequestId id,
           const typename wire::WireOf<V>::Request& message, typename V::Args args,
           state::Session::Admitted admitted);
  template <class V>
  Bytes EncodeReply(const state::Session& session, const Result<typename V::Reply>& result,
                    const LeaseNews* news);

  using ServeVerb = void (FilesystemService::*)(const Bytes&, Arrival&);

  state::SessionTable& sessions_;
  Clock& clock_;
  const absl::flat_hash_map<std::string_view, ServeVerb> verbs_;  // by path
};

}  // namespace tarn::rpc
