#include "tests/posix/differential/reply.h"

#include "tests/posix/differential/op.h"
#include "tests/posix/differential/wire.h"

namespace tarn::differential {
namespace {

void EncodeObject(const Object& object, std::string* out) {
  PutText(object.role, out);
  Put(object.error, out);
  Put(object.attributes, out);
  PutText(object.link_target, out);
  Put(object.has_xattrs, out);
  Put(object.has_listing, out);
  Put(object.has_content, out);
  Put(static_cast<uint32_t>(object.xattrs.size()), out);
  for (const auto& [name, value] : object.xattrs) {
    PutText(name, out);
    PutText(value, out);
  }
  Put(static_cast<uint32_t>(object.listing.size()), out);
  for (const std::string& entry : object.listing) PutText(entry, out);
  Put(object.content, out);
}

Object DecodeObject(std::string_view* in) {
  Object object;
  object.role = TakeText(in);
  object.error = Take<int>(in);
  object.attributes = Take<Attributes>(in);
  object.link_target = TakeText(in);
  object.has_xattrs = Take<bool>(in);
  object.has_listing = Take<bool>(in);
  object.has_content = Take<bool>(in);
  object.xattrs.resize(Take<uint32_t>(in));
  for (auto& [name, value] : object.xattrs) {
    name = TakeText(in);
    value = TakeText(in);
  }
  object.listing.resize(Take<uint32_t>(in));
  for (std::string& entry : object.listing) entry = TakeText(in);
  object.content = Take<uint64_t>(in);
  return object;
}

}  // namespace

void EncodeReply(const Reply& reply, std::string* out) {
  Put(reply.answer.result, out);
  Put(reply.answer.error, out);
  PutText(reply.answer.detail, out);
  Put(static_cast<uint32_t>(reply.objects.size()), out);
  for (const Object& object : reply.objects) EncodeObject(object, out);
}

Reply DecodeReply(std::string_view* in) {
  Reply reply;
  reply.answer.result = Take<int64_t>(in);
  reply.answer.error = Take<int>(in);
  reply.answer.detail = TakeText(in);
  reply.objects.resize(Take<uint32_t>(in));
  for (Object& object : reply.objects) object = DecodeObject(in);
  return reply;
}

void EncodeOp(const Op& op, std::string* out) {
  Put(op.process, out);
  Put(op.user, out);
  Put(op.verb, out);
  for (const std::string& text : op.text) PutText(text, out);
  Put(op.number, out);
}

Op DecodeOp(std::string_view* in) {
  Op op;
  op.process = Take<uint8_t>(in);
  op.user = Take<uint8_t>(in);
  op.verb = Take<Verb>(in);
  for (std::string& text : op.text) text = TakeText(in);
  op.number = Take<std::array<int64_t, 5>>(in);
  return op;
}

}  // namespace tarn::differential
