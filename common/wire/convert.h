// Arguments and replies of every verb <-> their messages, and nothing else.
//
// One pair of overloads per message, so that templates over common/verbs.inc work: Fill writes a
// message (whose header is the caller's business), Take reads one and checks all that it reads.
// What Take lets through has known enumeration values, offsets that fit a file offset, permission
// bits only, and sizes within limits.h; names and targets are left to the rules.
//
// Of the two messages that carry file contents (WriteRequest, ReadReply) only the head is a
// message here; the contents travel beside it: see frame.h.
// Errors of Take: EINVAL. Thread safety: pure functions.
#pragma once

#include "common/verbs.h"
#include "proto/filesystem.pb.h"
#include "proto/session.pb.h"

namespace tarn::wire {

// The messages of verb V: WireOf<verbs::Rename>::Request, ::Reply, kMethod (of the rpc).
// kRequestData, kReplyData: contents follow the message, in a frame.
template <class V>
struct WireOf;

template <class Reply>
struct ReplyMessageOf;
#define TARN_REPLY_MESSAGE_(reply, message) \
  template <>                               \
  struct ReplyMessageOf<reply> {            \
    using type = v1::message;               \
  };
TARN_REPLY_MESSAGE_(Unit, EmptyReply)
TARN_REPLY_MESSAGE_(EntryReply, EntryReply)
TARN_REPLY_MESSAGE_(AttrReply, AttrReply)
TARN_REPLY_MESSAGE_(ReadLinkReply, ReadLinkReply)
TARN_REPLY_MESSAGE_(OpenReply, OpenReply)
TARN_REPLY_MESSAGE_(CreateReply, CreateReply)
TARN_REPLY_MESSAGE_(ReadReply, ReadReplyHead)
TARN_REPLY_MESSAGE_(WriteReply, WriteReply)
TARN_REPLY_MESSAGE_(ReadDirReply, ReadDirReply)
TARN_REPLY_MESSAGE_(StatFsReply, StatFsReply)
TARN_REPLY_MESSAGE_(GetXattrReply, GetXattrReply)
TARN_REPLY_MESSAGE_(ListXattrReply, ListXattrReply)
TARN_REPLY_MESSAGE_(SeekReply, SeekReply)
TARN_REPLY_MESSAGE_(CopyRangeReply, CopyRangeReply)
TARN_REPLY_MESSAGE_(GetLockReply, GetLockReply)
#undef TARN_REPLY_MESSAGE_

template <class Args, class Message>
struct RequestMessageOf {
  using type = Message;
};
template <>
struct RequestMessageOf<WriteArgs, v1::WriteRequest> {
  using type = v1::WriteHead;
};

#define TARN_DECLARE_VERB(verb, args, reply, mutates)                            \
  template <>                                                                    \
  struct WireOf<verbs::verb> {                                                   \
    using Request = RequestMessageOf<args, v1::verb##Request>::type;             \
    using Reply = ReplyMessageOf<reply>::type;                                   \
    static constexpr const char* kMethod = "/tarn.v1.Filesystem/" #verb;         \
    static constexpr bool kRequestData = std::is_same_v<Request, v1::WriteHead>; \
    static constexpr bool kReplyData = std::is_same_v<Reply, v1::ReadReplyHead>; \
  };                                                                             \
  void Fill(const args& from, WireOf<verbs::verb>::Request& to);                 \
  Status Take(const WireOf<verbs::verb>::Request& from, args& to);
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB

void Fill(const Unit& from, v1::EmptyReply& to);
Status Take(const v1::EmptyReply& from, Unit& to);
void Fill(const EntryReply& from, v1::EntryReply& to);
Status Take(const v1::EntryReply& from, EntryReply& to);
void Fill(const AttrReply& from, v1::AttrReply& to);
Status Take(const v1::AttrReply& from, AttrReply& to);
void Fill(const ReadLinkReply& from, v1::ReadLinkReply& to);
Status Take(const v1::ReadLinkReply& from, ReadLinkReply& to);
void Fill(const OpenReply& from, v1::OpenReply& to);
Status Take(const v1::OpenReply& from, OpenReply& to);
void Fill(const CreateReply& from, v1::CreateReply& to);
Status Take(const v1::CreateReply& from, CreateReply& to);
void Fill(const ReadReply& from, v1::ReadReplyHead& to);
Status Take(const v1::ReadReplyHead& from, ReadReply& to);
void Fill(const WriteReply& from, v1::WriteReply& to);
Status Take(const v1::WriteReply& from, WriteReply& to);
void Fill(const ReadDirReply& from, v1::ReadDirReply& to);
Status Take(const v1::ReadDirReply& from, ReadDirReply& to);
void Fill(const StatFsReply& from, v1::StatFsReply& to);
Status Take(const v1::StatFsReply& from, StatFsReply& to);
void Fill(const GetXattrReply& from, v1::GetXattrReply& to);
Status Take(const v1::GetXattrReply& from, GetXattrReply& to);
void Fill(const ListXattrReply& from, v1::ListXattrReply& to);
Status Take(const v1::ListXattrReply& from, ListXattrReply& to);
void Fill(const SeekReply& from, v1::SeekReply& to);
Status Take(const v1::SeekReply& from, SeekReply& to);
void Fill(const CopyRangeReply& from, v1::CopyRangeReply& to);
Status Take(const v1::CopyRangeReply& from, CopyRangeReply& to);
void Fill(const GetLockReply& from, v1::GetLockReply& to);
Status Take(const v1::GetLockReply& from, GetLockReply& to);

// ---- parts ----
void Fill(const Handle& from, v1::Handle& to);
Handle HandleOf(const v1::Handle& from);
void Fill(const SessionId& from, v1::SessionId& to);
SessionId SessionIdOf(const v1::SessionId& from);
void Fill(const Attr& from, v1::Attr& to);
Status Take(const v1::Attr& from, Attr& to);
// The identity's part of a Caller: uid, gid, groups, pid.
void Fill(const Caller& from, v1::Caller& to);
Status Take(const v1::Caller& from, Caller& to);
void Fill(const ReleaseArgs& from, v1::EndedOpen& to);
ReleaseArgs EndedOpenOf(const v1::EndedOpen& from);
void Fill(const FormerRequest& from, v1::FormerRequest& to);
FormerRequest FormerRequestOf(const v1::FormerRequest& from);
void Fill(const SetLockArgs& from, v1::ReclaimLock& to);
Status Take(const v1::ReclaimLock& from, SetLockArgs& to);
Result<OpenAccess> OpenAccessOf(uint32_t from);

}  // namespace tarn::wire
