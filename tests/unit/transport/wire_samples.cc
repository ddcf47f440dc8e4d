#include "tests/unit/transport/wire_samples.h"

#include <google/protobuf/descriptor.h>

#include <map>
#include <string>

#include "proto/types.pb.h"

namespace tarn::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Numbers that mean something: enumerations of ours, which are numbers on the wire, and bounds.
uint32_t Number(const FieldDescriptor& field) {
  static const std::map<std::string, uint32_t> known = {
      {"mode", 1}, {"type", 1}, {"kind", 1}, {"whence", 1}, {"access", 2}, {"mask", 5},
      {"umask", 022}};
  const auto it = known.find(field.name());
  return it != known.end() ? it->second : 100 + static_cast<uint32_t>(field.number());
}

void SetOne(Message& message, const FieldDescriptor& field, int index) {
  const auto* reflection = message.GetReflection();
  const uint64_t wide = 1000 + static_cast<uint64_t>(field.number());
  const std::string text = field.name() + std::to_string(index);
  const bool repeated = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      FillSample(*(repeated ? reflection->AddMessage(&message, &field)
                            : reflection->MutableMessage(&message, &field)));
      break;
    case FieldDescriptor::CPPTYPE_STRING:
      repeated ? reflection->AddString(&message, &field, text)
               : reflection->SetString(&message, &field, text);
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      reflection->SetUInt64(&message, &field, wide);
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      reflection->SetInt64(&message, &field, static_cast<int64_t>(wide));
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      repeated ? reflection->AddUInt32(&message, &field,
                                       Number(field) + static_cast<uint32_t>(index))
               : reflection->SetUInt32(&message, &field, Number(field));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection->SetBool(&message, &field, true);
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      reflection->SetEnumValue(&message, &field, v1::FILE_TYPE_SYMLINK);  // the only enumeration
      break;
    default:
      GOOGLE_LOG(FATAL) << "no sample for " << field.full_name();
  }
}

}  // namespace

void FillSample(Message& message) {
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor& field = *descriptor->field(i);
    if (field.name() == "header") continue;
    for (int copy = 0; copy < (field.is_repeated() ? 2 : 1); ++copy) SetOne(message, field, copy);
  }
}

}  // namespace tarn::testing
