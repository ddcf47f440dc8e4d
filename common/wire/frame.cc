#include "common/wire/frame.h"

#include <google/protobuf/io/coded_stream.h>

#include <cstring>
#include <limits>
#include <vector>

namespace tarn::wire {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr uint8_t kHeadTag = 0x0a;  // field 1, length-delimited
constexpr uint8_t kDataTag = 0x12;  // field 2, length-delimited
constexpr size_t kVarintMaxBytes = 10;
constexpr size_t kLengthMaxBytes = 5;  // what protobuf itself accepts of a length
// Below this a copy is cheaper than sharing.
constexpr size_t kShareMinBytes = 4096;

Error Malformed(const char* what) { return Error(Errno::kEINVAL, what); }

// Reads a frame's few bytes of structure, wherever the transport has cut them.
class Reader {
 public:
  explicit Reader(const Bytes& bytes) : bytes_(bytes) {}

  bool AtEnd() const { return position_ == bytes_.size(); }
  size_t position() const { return position_; }

  bool ReadTag(uint8_t tag) {
    char byte = 0;
    if (AtEnd()) return false;
    bytes_.CopyTo(position_, 1, &byte);
    if (static_cast<uint8_t>(byte) != tag) return false;
    ++position_;
    return true;
  }

  // A length that lies within what is left.
  bool ReadLength(size_t* length) {
    uint64_t value = 0;
    for (size_t i = 0; i < kLengthMaxBytes; ++i) {
      if (AtEnd()) return false;
      char byte = 0;
      bytes_.CopyTo(position_, 1, &byte);
      ++position_;
      value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
      if ((byte & 0x80) == 0) {
        *length = value;
        return value <= bytes_.size() - position_;
      }
    }
    return false;
  }

  Bytes Take(size_t n) {
    Bytes taken = bytes_.Sub(position_, n);
    position_ += n;
    return taken;
  }

 private:
  const Bytes& bytes_;
  size_t position_ = 0;
};

// Messages are short and mostly come in one piece.
bool Parse(const Bytes& bytes, google::protobuf::MessageLite& message) {
  if (bytes.slices().size() == 1) {
    const std::string_view view = bytes.slices()[0].view;
    return message.ParseFromArray(view.data(), static_cast<int>(view.size()));
  }
  return message.ParseFromString(bytes.ToString());
}

void DropOwner(void* owner) { delete static_cast<std::shared_ptr<const void>*>(owner); }

grpc::Slice ToSlice(const ByteSlice& slice) {
  if (slice.view.size() < kShareMinBytes) {
    return grpc::Slice(slice.view.data(), slice.view.size());
  }
  if (slice.owner == nullptr) {  // lives for ever, like the pages of Bytes::Zeros
    return grpc::Slice(slice.view.data(), slice.view.size(), grpc::Slice::STATIC_SLICE);
  }
  return grpc::Slice(const_cast<char*>(slice.view.data()), slice.view.size(), &DropOwner,
                     new std::shared_ptr<const void>(slice.owner));
}

}  // namespace

Bytes Encode(const google::protobuf::MessageLite& message) {
  return Bytes::FromString(message.SerializeAsString());
}

Bytes Encode(const google::protobuf::MessageLite& head, Bytes data) {
  const size_t head_size = head.ByteSizeLong();
  std::string front;
  front.resize(1 + kVarintMaxBytes + head_size + 1 + kVarintMaxBytes);
  auto* const begin = reinterpret_cast<uint8_t*>(front.data());
  uint8_t* at = begin;
  *at++ = kHeadTag;
  at = CodedOutputStream::WriteVarint64ToArray(head_size, at);
  at = head.SerializeWithCachedSizesToArray(at);
  if (!data.empty()) {
    *at++ = kDataTag;
    at = CodedOutputStream::WriteVarint64ToArray(data.size(), at);
  }
  front.resize(static_cast<size_t>(at - begin));
  Bytes frame = Bytes::FromString(std::move(front));
  frame.Append(std::move(data));
  return frame;
}

grpc::ByteBuffer ToBuffer(const Bytes& bytes) {
  const std::vector<ByteSlice>& from = bytes.slices();
  if (from.empty()) {
    const grpc::Slice none;
    return grpc::ByteBuffer(&none, 1);
  }
  if (from.size() == 1) {
    const grpc::Slice slice = ToSlice(from[0]);
    return grpc::ByteBuffer(&slice, 1);
  }
  std::vector<grpc::Slice> slices;
  slices.reserve(from.size());
  for (const ByteSlice& slice : from) slices.push_back(ToSlice(slice));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

Result<Bytes> FromBuffer(const grpc::ByteBuffer& buffer) {
  // One owner for all slices. Short ones hold their bytes in themselves, so they must not move.
  auto slices = std::make_shared<std::vector<grpc::Slice>>();
  if (!buffer.Dump(slices.get()).ok()) return Malformed("unreadable buffer");
  Bytes bytes;
  for (const grpc::Slice& slice : *slices) {
    bytes.Append({{reinterpret_cast<const char*>(slice.begin()), slice.size()}, slices});
  }
  return bytes;
}

Status Decode(const Bytes& bytes, google::protobuf::MessageLite& message) {
  return Parse(bytes, message) ? Ok() : Malformed("not the message that was expected");
}

Status Decode(const Bytes& frame, google::protobuf::MessageLite& head, Bytes& data) {
  Reader reader(frame);
  size_t length = 0;
  head.Clear();
  if (reader.ReadTag(kHeadTag)) {
    if (!reader.ReadLength(&length)) return Malformed("frame: the head is cut off");
    if (!Parse(reader.Take(length), head)) {
      return Malformed("frame: the head is not the message that was expected");
    }
  }
  Bytes contents;
  if (reader.ReadTag(kDataTag)) {
    if (!reader.ReadLength(&length)) return Malformed("frame: the contents are cut off");
    contents = reader.Take(length);
  }
  if (!reader.AtEnd()) return Malformed("frame: something follows the contents");
  data = std::move(contents);
  return Ok();
}

Status Decode(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite& message) {
  ASSIGN_OR_RETURN(const Bytes bytes, FromBuffer(buffer));
  return Decode(bytes, message);
}

Status Decode(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite& head, Bytes& data) {
  ASSIGN_OR_RETURN(const Bytes frame, FromBuffer(buffer));
  return Decode(frame, head, data);
}

}  // namespace tarn::wire
