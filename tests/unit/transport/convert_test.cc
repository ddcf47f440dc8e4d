// Every message of every verb: what is taken from it and filled in again is the same, and nothing
// that a peer can send does harm.
#include "common/wire/convert.h"

#include <gtest/gtest.h>

#include "common/limits.h"
#include "common/wire/kept.h"
#include "common/wire/lease.h"
#include "tests/support/expect.h"
#include "tests/unit/transport/wire_samples.h"

namespace tarn {
namespace {

// Takes a full message into `to`, fills a second from it: no field may get lost or change places.
template <class Domain, class Message>
void ExpectRoundTrip() {
  Message sent;
  testing::FillSample(sent);
  Domain domain;
  EXPECT_OK(wire::Take(sent, domain)) << sent.GetTypeName();
  Message again;
  wire::Fill(domain, again);
  EXPECT_EQ(sent.DebugString(), again.DebugString()) << sent.GetTypeName();
}

// Every prefix of the message, and the message with each byte changed: parsed or not, taken or not,
// never a crash, and never another errno.
template <class Domain, class Message>
void ExpectSane() {
  Message full;
  testing::FillSample(full);
  const std::string bytes = full.SerializeAsString();
  const auto probe = [](const std::string& input) {
    Message message;
    Domain domain;
    if (!message.ParseFromString(input)) return;
    const Errno code = wire::Take(message, domain).code();
    EXPECT_TRUE(code == Errno::kOk || code == Errno::kEINVAL) << ErrnoName(code);
  };
  for (size_t n = 0; n < bytes.size(); ++n) probe(bytes.substr(0, n));
  for (size_t n = 0; n < bytes.size(); ++n) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[n] = static_cast<char>(changed[n] ^ flip);
      probe(changed);
    }
  }
}

template <class V>
class WireTest : public ::testing::Test {};

using AllVerbs = ::testing::Types<
#define TARN_DECLARE_VERB(verb, args, reply, mutates) verbs::verb,
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
    verbs::Lookup>;  // once more: the list needs an end without a comma
TYPED_TEST_SUITE(WireTest, AllVerbs);

TYPED_TEST(WireTest, RequestSurvivesTheWire) {
  ExpectRoundTrip<typename TypeParam::Args, typename wire::WireOf<TypeParam>::Request>();
}

TYPED_TEST(WireTest, ReplySurvivesTheWire) {
  ExpectRoundTrip<typename TypeParam::Reply, typename wire::WireOf<TypeParam>::Reply>();
}

TYPED_TEST(WireTest, DamagedRequestDoesNoHarm) {
  ExpectSane<typename TypeParam::Args, typename wire::WireOf<TypeParam>::Request>();
}

TYPED_TEST(WireTest, DamagedReplyDoesNoHarm) {
  ExpectSane<typename TypeParam::Reply, typename wire::WireOf<TypeParam>::Reply>();
}

TYPED_TEST(WireTest, MethodIsTheVerbsRpc) {
  EXPECT_EQ(wire::WireOf<TypeParam>::kMethod,
            "/tarn.v1.Filesystem/" + std::string(TypeParam::kName));
}

// A request that is fine but for one value.
template <class V>
Errno TakeWith(const std::function<void(typename wire::WireOf<V>::Request&)>& change) {
  typename wire::WireOf<V>::Request message;
  testing::FillSample(message);
  change(message);
  typename V::Args args;
  return wire::Take(message, args).code();
}

TEST(WireValueTest, MadValuesAreRefused) {
  EXPECT_EQ(TakeWith<verbs::Rename>([](auto& m) { m.set_mode(3); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::SetXattr>([](auto& m) { m.set_mode(77); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::Allocate>([](auto& m) { m.set_mode(5); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::Seek>([](auto& m) { m.set_whence(2); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::Open>([](auto& m) { m.set_access(4); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::Access>([](auto& m) { m.set_mask(8); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::SetLock>([](auto& m) { m.set_kind(2); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::SetLock>([](auto& m) { m.mutable_lock()->set_type(3); }),
            Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::SetLock>([](auto& m) { m.mutable_lock()->set_start(UINT64_MAX); }),
            Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::MakeDir>([](auto& m) { m.set_mode(010000); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::SetAttr>([](auto& m) { m.set_mode(~0u); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::SetAttr>([](auto& m) { m.set_size(UINT64_MAX); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::MakeNode>([](auto& m) { m.set_type(static_cast<v1::FileType>(3)); }),
            Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::Read>([](auto& m) { m.set_size(kTransferMaxBytes + 1); }),
            Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::Read>([](auto& m) { m.set_offset(INT64_MAX); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::Write>([](auto& m) { m.set_offset(UINT64_MAX); }), Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::ReadDir>([](auto& m) { m.set_max_bytes(kReadDirMaxBytes + 1); }),
            Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::Lookup>(
                [](auto& m) { m.mutable_prefetch()->set_size(kPrefetchMaxBytes + 1); }),
            Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::GetAttr>([](auto& m) { m.mutable_prefetch()->set_size(UINT32_MAX); }),
            Errno::kEINVAL);
  EXPECT_EQ(TakeWith<verbs::CopyRange>([](auto& m) { m.set_length(UINT64_MAX); }), Errno::kEINVAL);
}

TEST(WireValueTest, AbsentFieldsOfSetAttrStayAbsent) {
  SetAttrArgs args;
  ASSERT_OK(wire::Take(v1::SetAttrRequest(), args));
  EXPECT_FALSE(args.open || args.mode || args.uid || args.gid || args.size || args.atime ||
               args.mtime || args.atime_now || args.mtime_now);
}

TEST(WireValueTest, GroupsNotReadAreNotNoGroups) {
  Caller sent;
  v1::Caller message;
  wire::Fill(sent, message);
  Caller taken;
  ASSERT_OK(wire::Take(message, taken));
  EXPECT_FALSE(taken.groups.has_value());
  sent.groups.emplace();
  wire::Fill(sent, message);
  ASSERT_OK(wire::Take(message, taken));
  ASSERT_TRUE(taken.groups.has_value());
  EXPECT_TRUE(taken.groups->empty());
}

TEST(WireValueTest, TooManyGroupsAreRefused) {
  v1::Caller message;
  message.set_has_groups(true);
  for (size_t i = 0; i <= kGroupsMax; ++i) message.add_groups(static_cast<uint32_t>(i));
  Caller taken;
  EXPECT_ERROR(kEINVAL, wire::Take(message, taken));
}

TEST(WireValueTest, ListingWithBadNameIsRefused) {
  for (const std::string& name : {std::string(), std::string("a/b"), std::string("a\0b", 3),
                                  std::string(kNameMaxBytes + 1, 'x')}) {
    v1::ReadDirReply message;
    testing::FillSample(message);
    message.mutable_entries(0)->set_name(name);
    ReadDirReply reply;
    EXPECT_ERROR(kEINVAL, wire::Take(message, reply)) << name;
  }
}

TEST(WireValueTest, ContentsTravelWithTheNews) {
  LeaseNews news;
  v1::ReplyHeader without;
  wire::Fill(news, without);
  EXPECT_FALSE(wire::LeaseNewsOf(without).contents.has_value());
  news.contents = Contents{Ino{7}, 4096, Bytes::FromString("content")};
  v1::ReplyHeader header;
  wire::Fill(news, header);
  const LeaseNews taken = wire::LeaseNewsOf(header);
  ASSERT_TRUE(taken.contents.has_value());
  EXPECT_EQ(taken.contents->ino, Ino{7});
  EXPECT_EQ(taken.contents->offset, 4096u);
  EXPECT_EQ(taken.contents->data.ToString(), "content");
}

TEST(WireValueTest, EndOfAnOpenSaysWhetherItWasAnAccess) {
  for (const bool accessed : {false, true}) {
    const ReleaseArgs args{.inode = {Ino{7}, 9}, .open = OpenId{3}, .accessed = accessed};
    v1::EndedOpen ended;
    wire::Fill(args, ended);
    EXPECT_EQ(wire::EndedOpenOf(ended).accessed, accessed);
    v1::ReleaseRequest release;
    wire::Fill(args, release);
    ReleaseArgs taken;
    ASSERT_OK(wire::Take(release, taken));
    EXPECT_EQ(taken.accessed, accessed);
  }
}

TEST(KeptTest, ReplyComesBackAsItWas) {
  CreateReply reply;
  reply.entry.handle = {Ino{7}, 99};
  reply.entry.attr.ino = Ino{7};
  reply.entry.attr.size = 4711;
  reply.created = true;
  const auto decoded = wire::DecodeKept<CreateReply>(wire::EncodeKept(reply));
  ASSERT_OK(decoded);
  EXPECT_EQ(decoded->entry.handle, reply.entry.handle);
  EXPECT_EQ(decoded->entry.attr, reply.entry.attr);
  EXPECT_TRUE(decoded->created);
  EXPECT_OK(wire::DecodeKept<Unit>(wire::EncodeKept(Unit{})));
}

TEST(KeptTest, RubbishIsAnError) {
  EXPECT_ERROR(kEIO, wire::DecodeKept<EntryReply>("\xff\xff rubbish"));
}

}  // namespace
}  // namespace tarn
