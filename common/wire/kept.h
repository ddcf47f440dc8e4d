// The stored form of replies: what is kept with a mutation so that its retry is answered from it.
// It is the reply's wire message without a header, so the format changes only as the wire may.
#pragma once

#include <string>
#include <string_view>

#include "common/filesystem.h"

namespace tarn::wire {

std::string EncodeKept(const Unit& reply);
std::string EncodeKept(const EntryReply& reply);
std::string EncodeKept(const AttrReply& reply);
std::string EncodeKept(const OpenReply& reply);
std::string EncodeKept(const CreateReply& reply);
std::string EncodeKept(const WriteReply& reply);
std::string EncodeKept(const CopyRangeReply& reply);

// Defined for the types above. Errors: EIO (not what EncodeKept made).
template <class Reply>
Result<Reply> DecodeKept(std::string_view stored);

}  // namespace tarn::wire
