// The frames of file contents: what is accepted is the protobuf message that the protocol says it
// is, however the transport has cut it.
#include "common/wire/frame.h"

#include "proto/filesystem.pb.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tarn;
  fuzz::Input input(data, size);
  const size_t piece = input.Byte();
  v1::WriteHead head, whole_head;
  Bytes contents, whole_contents;
  const Status cut = wire::Decode(fuzz::InPieces(input.Rest(), piece), head, contents);
  const Status whole = wire::Decode(fuzz::InPieces(input.Rest(), 0), whole_head, whole_contents);
  fuzz::Require(cut.ok() == whole.ok(), "the answer does not depend on the pieces");
  if (!cut.ok()) return 0;
  fuzz::Require(contents.ToString() == whole_contents.ToString(), "nor do the contents");

  v1::WriteRequest message;
  fuzz::Require(message.ParseFromArray(input.Rest().data(), static_cast<int>(input.Rest().size())),
                "a frame is a message");
  fuzz::Require(message.data() == contents.ToString(), "with the same contents");
  fuzz::Require(message.head().SerializeAsString() == head.SerializeAsString(), "and head");

  v1::WriteHead again_head;
  Bytes again;
  const Bytes encoded = wire::Encode(head, contents);
  fuzz::Require(wire::Decode(wire::ToBuffer(encoded), again_head, again).ok() &&
                    again.ToString() == contents.ToString(),
                "what is encoded can be decoded");
  return 0;
}
