#include "common/wire/frame.h"

#include <gtest/gtest.h>

#include "proto/filesystem.pb.h"
#include "tests/support/expect.h"

namespace tarn {
namespace {

std::string Flat(const Bytes& bytes) { return bytes.ToString(); }

grpc::ByteBuffer BufferOf(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

// The same bytes in slices of `n`.
grpc::ByteBuffer InPieces(const std::string& bytes, size_t n) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += n) slices.emplace_back(bytes.substr(at, n));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

v1::WriteHead Head() {
  v1::WriteHead head;
  head.set_open(7);
  head.set_offset(4096);
  return head;
}

TEST(FrameTest, IsTheProtobufMessage) {
  const Bytes frame = wire::Encode(Head(), Bytes::Copy("contents"));
  v1::WriteRequest message;
  ASSERT_TRUE(message.ParseFromString(Flat(frame)));
  EXPECT_EQ(message.head().offset(), 4096u);
  EXPECT_EQ(message.data(), "contents");
  EXPECT_EQ(message.SerializeAsString(), Flat(frame));
}

TEST(FrameTest, ContentsAreSentAndReceivedWithoutACopy) {
  const std::string contents(1 << 20, 'x');
  const Bytes data = Bytes::FromString(contents);
  const char* const where = data.slices()[0].view.data();
  const grpc::ByteBuffer buffer = wire::ToBuffer(wire::Encode(Head(), data));
  v1::WriteHead head;
  Bytes received;
  ASSERT_OK(wire::Decode(buffer, head, received));
  ASSERT_EQ(received.slices().size(), 1u);
  EXPECT_EQ(received.slices()[0].view.data(), where);
  EXPECT_EQ(received.size(), contents.size());
}

TEST(FrameTest, ContentsOutliveTheBuffer) {
  Bytes received;
  {
    v1::WriteHead head;
    const grpc::ByteBuffer buffer =
        InPieces(Flat(wire::Encode(Head(), Bytes::Copy(std::string(9000, 'y')))), 1000);
    ASSERT_OK(wire::Decode(buffer, head, received));
  }
  EXPECT_EQ(Flat(received), std::string(9000, 'y'));
}

TEST(FrameTest, AnyCutOfTheSlicesIsTheSameFrame) {
  const std::string contents = "some contents, longer than a slice that holds its own bytes";
  const std::string frame = Flat(wire::Encode(Head(), Bytes::Copy(contents)));
  for (size_t n = 1; n <= frame.size(); ++n) {
    v1::WriteHead head;
    Bytes data;
    ASSERT_OK(wire::Decode(InPieces(frame, n), head, data)) << n;
    EXPECT_EQ(head.SerializeAsString(), Head().SerializeAsString()) << n;
    EXPECT_EQ(Flat(data), contents) << n;
    v1::WriteRequest message;
    ASSERT_OK(wire::Decode(InPieces(frame, n), message)) << n;
    EXPECT_EQ(message.data(), contents) << n;
  }
}

TEST(FrameTest, NoContentsAreNoField) {
  const Bytes frame = wire::Encode(Head(), Bytes());
  v1::WriteHead head;
  Bytes data = Bytes::Copy("left over");
  ASSERT_OK(wire::Decode(wire::ToBuffer(frame), head, data));
  EXPECT_TRUE(data.empty());
  ASSERT_OK(wire::Decode(wire::ToBuffer(Bytes()), head, data));
}

TEST(FrameTest, MalformedIsRefused) {
  const std::string head = Head().SerializeAsString();
  const std::string size(1, static_cast<char>(head.size()));
  const std::string good = "\x0a" + size + head;
  const struct {
    const char* what;
    std::string bytes;
  } cases[] = {
      {"another first field", "\x1a\x01x"},
      {"a head beyond the end", std::string("\x0a\x7f") + head},
      {"a length without an end", std::string("\x0a") + std::string(11, '\xff')},
      {"a length beyond 2^63", std::string("\x0a") + std::string(9, '\xff') + "\x01"},
      {"a head that is no message", std::string("\x0a\x02\xff\xff", 4)},
      {"contents beyond the end", good + "\x12\x05" "four"},
      {"contents without a length", good + "\x12"},
      {"something behind the contents", good + std::string("\x12\x01x\x12\x01x", 6)},
      {"a second head", good + good},
      {"contents before the head", std::string("\x12\x01x", 3) + good},
  };
  for (const auto& one : cases) {
    v1::WriteHead parsed;
    Bytes data;
    EXPECT_ERROR(kEINVAL, wire::Decode(BufferOf(one.bytes), parsed, data)) << one.what;
    EXPECT_ERROR(kEINVAL, wire::Decode(InPieces(one.bytes, 1), parsed, data)) << one.what;
  }
}

TEST(FrameTest, EveryTruncationIsRefusedOrShorter) {
  const std::string frame = Flat(wire::Encode(Head(), Bytes::Copy("contents")));
  for (size_t n = 0; n < frame.size(); ++n) {
    v1::WriteHead head;
    Bytes data;
    const Status status = wire::Decode(BufferOf(frame.substr(0, n)), head, data);
    EXPECT_TRUE(!status.ok() || data.empty()) << n;
  }
}

}  // namespace
}  // namespace tarn
