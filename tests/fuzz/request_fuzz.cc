// Every request of the Filesystem service, from the bytes to a verb's arguments.
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "tests/fuzz/fuzz.h"

namespace tarn::fuzz {
namespace {

template <class V>
void TryRequest(const grpc::ByteBuffer& buffer) {
  typename wire::WireOf<V>::Request message, again, third;
  typename V::Args args, args_again;
  if constexpr (wire::WireOf<V>::kRequestData) {
    if (!wire::Decode(buffer, message, args.data).ok()) return;
    args_again.data = args.data;
  } else {
    if (!wire::Decode(buffer, message).ok()) return;
  }
  Caller caller;
  (void)wire::Take(message.header().caller(), caller);
  if (!wire::Take(message, args).ok()) return;
  wire::Fill(args, again);
  Require(wire::Take(again, args_again).ok(), "what was let through is let through again");
  wire::Fill(args_again, third);
  Require(again.SerializeAsString() == third.SerializeAsString(), "and stays as it is");
}

}  // namespace
}  // namespace tarn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tarn;
  using Try = void (*)(const grpc::ByteBuffer&);
  static constexpr Try kTries[] = {
#define TARN_DECLARE_VERB(verb, args, reply, mutates) &fuzz::TryRequest<verbs::verb>,
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
  };
  fuzz::Input input(data, size);
  const size_t verb = input.Byte() % std::size(kTries);
  const size_t piece = input.Byte();
  kTries[verb](fuzz::InPieces(input.Rest(), piece));
  return 0;
}
