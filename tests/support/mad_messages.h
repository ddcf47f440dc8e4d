// Messages of valid shape and mad content: every field is absent, right, at a bound, beyond one or
// random. What was learnt of handles is used, so that much of it gets far into the server.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "proto/types.pb.h"

namespace tarn::testing {

// Thread safety: none. The same seed makes the same messages of the same handles.
class MadMessages {
 public:
  explicit MadMessages(uint64_t seed) : random_(seed) {}

  // Every field but `header`, recursively. Some messages are mad in one or two fields at most.
  void Fill(google::protobuf::Message& message);
  // Remembers every handle that is in a reply.
  void Learn(const google::protobuf::Message& reply);
  void Learn(const v1::Handle& handle);
  // Remembers the open that a request made of an inode, for others to go through; all are gone with
  // their session.
  void LearnOpen(const google::protobuf::Message& request, const google::protobuf::Message& reply);
  void ForgetOpens() { opens_.clear(); }

  bool Chance(int percent) { return Below(100) < static_cast<uint64_t>(percent); }
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  uint64_t Number();
  std::string Text();

 private:
  void FillAll(google::protobuf::Message& message);
  void SetOne(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field);
  v1::Handle SomeHandle();
  // If the message names an inode and an open of it: one that was made.
  void UseOpen(google::protobuf::Message& message, const char* inode, const char* open);

  std::mt19937_64 random_;
  bool sane_ = false;
  std::vector<v1::Handle> handles_;
  std::vector<std::pair<uint64_t, v1::Handle>> opens_;
};

}  // namespace tarn::testing
