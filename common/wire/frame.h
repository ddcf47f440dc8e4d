// Messages <-> gRPC's byte buffers, file contents without a copy.
//
// A frame with contents is, byte for byte, the protobuf message { head = 1; bytes data = 2 } in
// this order: tag 0x0a, length, head, tag 0x12, length, contents. The contents are handed on as
// slices of the buffers that they came in, and sent from the buffers that they lie in. They may be
// a frame themselves, as those of a stream of calls are (proto/calls.proto).
//
// Errors: EINVAL for whatever is not a frame; nothing is read beyond the buffer's end.
// Thread safety: pure functions.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include "common/bytes.h"
#include "common/result.h"

namespace tarn::wire {

// The bytes of a message; with `data`, of a frame that ends with it.
Bytes Encode(const google::protobuf::MessageLite& message);
Bytes Encode(const google::protobuf::MessageLite& head, Bytes data);

// Short slices are copied, long ones shared.
grpc::ByteBuffer ToBuffer(const Bytes& bytes);
// Shares the buffer's slices.
Result<Bytes> FromBuffer(const grpc::ByteBuffer& buffer);

Status Decode(const Bytes& bytes, google::protobuf::MessageLite& message);
Status Decode(const Bytes& frame, google::protobuf::MessageLite& head, Bytes& data);
Status Decode(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite& message);
Status Decode(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite& head, Bytes& data);

}  // namespace tarn::wire
