// Every reply as a client reads it: of the verbs with what they grant, and the kept ones that the
// server reads from its store.
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "common/wire/kept.h"
#include "common/wire/lease.h"
#include "tests/fuzz/fuzz.h"

namespace tarn::fuzz {
namespace {

template <class V>
void TryReply(const grpc::ByteBuffer& buffer) {
  typename wire::WireOf<V>::Reply message, again, third;
  typename V::Reply reply, reply_again;
  if constexpr (wire::WireOf<V>::kReplyData) {
    if (!wire::Decode(buffer, message, reply.data).ok()) return;
    reply_again.data = reply.data;
  } else {
    if (!wire::Decode(buffer, message).ok()) return;
  }
  v1::ReplyHeader header;
  const LeaseNews news = wire::LeaseNewsOf(message.header());
  wire::Fill(news, header);
  Require(header.grants_size() == message.header().grants_size(), "no grant is lost");
  (void)IsValidErrno(message.header().error());
  if (!wire::Take(message, reply).ok()) return;
  wire::Fill(reply, again);
  Require(wire::Take(again, reply_again).ok(), "what was let through is let through again");
  wire::Fill(reply_again, third);
  Require(again.SerializeAsString() == third.SerializeAsString(), "and stays as it is");
}

template <class Reply>
void TryKept(std::string_view bytes) {
  const Result<Reply> reply = wire::DecodeKept<Reply>(bytes);
  if (!reply.ok()) return;
  const std::string encoded = wire::EncodeKept(*reply);
  const Result<Reply> again = wire::DecodeKept<Reply>(encoded);
  Require(again.ok() && wire::EncodeKept(*again) == encoded, "a kept reply stays as it is");
}

}  // namespace
}  // namespace tarn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tarn;
  using Try = void (*)(const grpc::ByteBuffer&);
  static constexpr Try kTries[] = {
#define TARN_DECLARE_VERB(verb, args, reply, mutates) &fuzz::TryReply<verbs::verb>,
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
  };
  using TryKept = void (*)(std::string_view);
  static constexpr TryKept kKept[] = {
      &fuzz::TryKept<Unit>,      &fuzz::TryKept<EntryReply>,  &fuzz::TryKept<AttrReply>,
      &fuzz::TryKept<OpenReply>, &fuzz::TryKept<CreateReply>, &fuzz::TryKept<WriteReply>,
      &fuzz::TryKept<CopyRangeReply>,
  };
  fuzz::Input input(data, size);
  const size_t which = input.Byte() % (std::size(kTries) + std::size(kKept));
  const size_t piece = input.Byte();
  if (which < std::size(kTries)) {
    kTries[which](fuzz::InPieces(input.Rest(), piece));
  } else {
    kKept[which - std::size(kTries)](input.Rest());
  }
  return 0;
}
