#include "tests/support/mad_messages.h"

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <iterator>

namespace tarn::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kHandlesMax = 24;
constexpr size_t kOpensMax = 6;
constexpr size_t kLongText = 1024 * 1024;

constexpr uint64_t kBounds[] = {
    0,          1,           4095,          4096,          16 * 1024, 65'535,
    65'536,     INT32_MAX,   1ull << 31,    UINT32_MAX,    1ull << 32, 52'673'613'135'872,
    1ull << 62, INT64_MAX,   1ull << 63,    UINT64_MAX - 1, UINT64_MAX,
};

}  // namespace

uint64_t MadMessages::Number() {
  if (sane_ && !Chance(3)) return Below(5);
  if (Chance(50)) return Below(5);
  if (Chance(30)) return Below(100'000);
  if (Chance(60)) return kBounds[Below(std::size(kBounds))] + Below(3) - 1;
  return random_();
}

std::string MadMessages::Text() {
  if (sane_ && Chance(40)) return "user.x" + std::to_string(Below(3));
  if (sane_ || Chance(70)) return "n" + std::to_string(Below(12));
  switch (Below(12)) {
    case 0: return "";
    case 1: return ".";
    case 2: return "..";
    case 3: return "a/b";
    case 4: return std::string("a\0b", 3);
    case 5: return std::string(255, 'x');
    case 6: return std::string(256, 'x');
    case 7: return Chance(5) ? std::string(kLongText, 'x') : std::string(5000, 'x');
    case 8: return "user.x" + std::to_string(Below(3));
    case 9: return "system.posix_acl_access";
    case 10: return "security.capability";
    default: {
      std::string random(Below(300), '\0');
      for (char& c : random) c = static_cast<char>(random_());
      return random;
    }
  }
}

v1::Handle MadMessages::SomeHandle() {
  v1::Handle handle;
  if (!handles_.empty()) handle = handles_[Below(handles_.size())];
  if (Chance(5)) handle.set_tag(handle.tag() ^ (1ull << Below(64)));
  if (Chance(3)) handle.set_ino(Number());
  if (Chance(1)) handle.Clear();
  return handle;
}

void MadMessages::Learn(const v1::Handle& handle) {
  if (handles_.size() < kHandlesMax) {
    handles_.push_back(handle);
  } else {
    handles_[Below(kHandlesMax)] = handle;
  }
}

void MadMessages::Learn(const Message& reply) {
  if (reply.GetDescriptor() == v1::Handle::descriptor()) {
    return Learn(static_cast<const v1::Handle&>(reply));
  }
  std::vector<const FieldDescriptor*> fields;
  reply.GetReflection()->ListFields(reply, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated()) continue;
    Learn(reply.GetReflection()->GetMessage(reply, field));
  }
}

void MadMessages::SetOne(Message& message, const FieldDescriptor& field) {
  const auto* reflection = message.GetReflection();
  const bool repeated = field.is_repeated();
  const uint64_t number = Number();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      FillAll(*(repeated ? reflection->AddMessage(&message, &field)
                         : reflection->MutableMessage(&message, &field)));
      break;
    case FieldDescriptor::CPPTYPE_STRING:
      // Strings, unlike bytes, must be UTF-8, or nothing is sent.
      if (field.type() == FieldDescriptor::TYPE_STRING) {
        reflection->SetString(&message, &field, Chance(90) ? "" : "fsap-1");
      } else if (repeated) {
        reflection->AddString(&message, &field, Text());
      } else {
        reflection->SetString(&message, &field, Text());
      }
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      repeated ? reflection->AddUInt64(&message, &field, number)
               : reflection->SetUInt64(&message, &field, number);
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      reflection->SetInt64(&message, &field, static_cast<int64_t>(number));
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      // Most are enumerations of ours, or modes.
      repeated ? reflection->AddUInt32(&message, &field, static_cast<uint32_t>(number))
               : reflection->SetUInt32(&message, &field,
                                       Chance(80) && field.name() == "mode"
                                           ? 0777
                                           : static_cast<uint32_t>(number));
      break;
    case FieldDescriptor::CPPTYPE_INT32:
      reflection->SetInt32(&message, &field, static_cast<int32_t>(number));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection->SetBool(&message, &field, Chance(30));
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      reflection->SetEnumValue(&message, &field, static_cast<int>(Chance(80) ? Below(13) : number));
      break;
    default:
      break;  // there are no others
  }
}

void MadMessages::LearnOpen(const Message& request, const Message& reply) {
  const FieldDescriptor* const open = request.GetDescriptor()->FindFieldByName("open");
  const FieldDescriptor* inode = request.GetDescriptor()->FindFieldByName("inode");
  const Message* holder = &request;
  if (inode == nullptr) {
    inode = reply.GetDescriptor()->FindFieldByName("handle");
    holder = &reply;
  }
  if (open == nullptr || inode == nullptr) return;
  v1::Handle handle;
  handle.CopyFrom(holder->GetReflection()->GetMessage(*holder, inode));
  if (opens_.size() >= kOpensMax) opens_.erase(opens_.begin());
  opens_.emplace_back(request.GetReflection()->GetUInt64(request, open), handle);
}

void MadMessages::UseOpen(Message& message, const char* inode, const char* open) {
  const FieldDescriptor* const inode_field = message.GetDescriptor()->FindFieldByName(inode);
  const FieldDescriptor* const open_field = message.GetDescriptor()->FindFieldByName(open);
  if (inode_field == nullptr || open_field == nullptr || opens_.empty()) return;
  const auto& [id, handle] = opens_[Below(opens_.size())];
  message.GetReflection()->MutableMessage(&message, inode_field)->CopyFrom(handle);
  message.GetReflection()->SetUInt64(&message, open_field, id);
}

void MadMessages::Fill(Message& message) {
  sane_ = Chance(40);
  FillAll(message);
  sane_ = false;
}

void MadMessages::FillAll(Message& message) {
  if (message.GetDescriptor() == v1::Handle::descriptor()) {
    message.CopyFrom(SomeHandle());
    return;
  }
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor& field = *descriptor->field(i);
    if (field.name() == "header" || Chance(4)) continue;
    if (sane_ && field.has_optional_keyword() && Chance(80)) continue;
    uint64_t copies = 1;
    if (field.is_repeated()) copies = Chance(1) ? 3000 : Below(4);
    for (uint64_t copy = 0; copy < copies; ++copy) SetOne(message, field);
  }
  if (Chance(30)) return;
  UseOpen(message, "inode", "open");
  UseOpen(message, "source", "source_open");
  UseOpen(message, "target", "target_open");
}

}  // namespace tarn::testing
