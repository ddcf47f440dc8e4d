#include "common/wire/kept.h"

#include "common/wire/convert.h"

namespace tarn::wire {
namespace {

template <class Reply>
std::string EncodeAs(const Reply& reply) {
  typename ReplyMessageOf<Reply>::type message;
  Fill(reply, message);
  return message.SerializeAsString();
}

}  // namespace

template <class Reply>
Result<Reply> DecodeKept(std::string_view stored) {
  typename ReplyMessageOf<Reply>::type message;
  Reply reply;
  if (!message.ParseFromArray(stored.data(), static_cast<int>(stored.size())) ||
      !Take(message, reply).ok()) {
    return Error(Errno::kEIO, "a kept reply cannot be read");
  }
  return reply;
}

#define TARN_KEPT_(Reply)                                               \
  std::string EncodeKept(const Reply& reply) { return EncodeAs(reply); } \
  template Result<Reply> DecodeKept<Reply>(std::string_view stored);
TARN_KEPT_(Unit)
TARN_KEPT_(EntryReply)
TARN_KEPT_(AttrReply)
TARN_KEPT_(OpenReply)
TARN_KEPT_(CreateReply)
TARN_KEPT_(WriteReply)
TARN_KEPT_(CopyRangeReply)
#undef TARN_KEPT_

}  // namespace tarn::wire
