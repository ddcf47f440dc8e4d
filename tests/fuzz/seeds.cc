// fuzz_seeds TARGET DIRECTORY: writes inputs that are right, for the fuzzer to start from.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "common/posix/acl.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "server/store/keys.h"
#include "server/store/records.h"
#include "tests/unit/transport/wire_samples.h"

namespace tarn::fuzz {
namespace {

using Inputs = std::vector<std::string>;

std::string Selected(size_t selector, const std::string& bytes) {
  return std::string(1, static_cast<char>(selector)) + bytes;
}
// With the second byte of those that are cut to pieces: whole.
std::string Whole(size_t selector, const std::string& bytes) {
  return Selected(selector, std::string(1, '\0') + bytes);
}

template <class Message>
std::string Sample() {
  Message message;
  testing::FillSample(message);
  if constexpr (requires { message.mutable_header()->mutable_caller(); }) {
    testing::FillSample(*message.mutable_header()->mutable_caller());
  }
  return message.SerializeAsString();
}

template <class V>
std::string SampleRequest() {
  using Request = typename wire::WireOf<V>::Request;
  if constexpr (wire::WireOf<V>::kRequestData) {
    Request head;
    testing::FillSample(head);
    return wire::Encode(head, Bytes::Copy("contents")).ToString();
  } else {
    return Sample<Request>();
  }
}

template <class V>
std::string SampleReply() {
  typename wire::WireOf<V>::Reply message;
  testing::FillSample(message);
  v1::Grant& grant = *message.mutable_header()->add_grants();
  grant.set_ino(7);
  grant.set_mode(v1::LEASE_MODE_SHARED);
  message.mutable_header()->add_changed(8);
  if constexpr (wire::WireOf<V>::kReplyData) {
    return wire::Encode(message, Bytes::Copy("contents")).ToString();
  } else {
    return message.SerializeAsString();
  }
}

Inputs Requests() {
  Inputs inputs;
#define TARN_DECLARE_VERB(verb, args, reply, mutates) \
  inputs.push_back(Whole(inputs.size(), SampleRequest<verbs::verb>()));
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
  return inputs;
}

Inputs Replies() {
  Inputs inputs;
#define TARN_DECLARE_VERB(verb, args, reply, mutates) \
  inputs.push_back(Whole(inputs.size(), SampleReply<verbs::verb>()));
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
  inputs.push_back(Whole(inputs.size(), ""));
  inputs.push_back(Whole(inputs.size(), Sample<v1::EntryReply>()));
  inputs.push_back(Whole(inputs.size(), Sample<v1::AttrReply>()));
  inputs.push_back(Whole(inputs.size(), Sample<v1::OpenReply>()));
  inputs.push_back(Whole(inputs.size(), Sample<v1::CreateReply>()));
  inputs.push_back(Whole(inputs.size(), Sample<v1::WriteReply>()));
  inputs.push_back(Whole(inputs.size(), Sample<v1::CopyRangeReply>()));
  return inputs;
}

Inputs Sessions() {
  v1::Event event;
  event.set_number(3);
  event.mutable_recall()->set_to(v1::LEASE_MODE_SHARED);
  event.mutable_recall()->add_names("name");
  v1::ReclaimRequest reclaim;
  reclaim.add_opens()->set_access(1);
  reclaim.add_locks()->set_type(1);
  v1::ReturnLeasesRequest returns;
  returns.add_recalls(1);
  returns.add_leases()->set_ino(1);
  v1::HelloReply hello;
  testing::FillSample(*hello.mutable_root_attr());
  return {Selected(0, event.SerializeAsString()), Selected(1, reclaim.SerializeAsString()),
          Selected(2, returns.SerializeAsString()), Selected(3, hello.SerializeAsString())};
}

Inputs Frames() {
  v1::WriteHead head;
  testing::FillSample(head);
  const std::string frame = wire::Encode(head, Bytes::Copy("contents")).ToString();
  const std::string large = wire::Encode(head, Bytes::Zeros(4200)).ToString();
  return {Selected(0, frame), Selected(1, frame), Selected(7, frame), Selected(255, large)};
}

Inputs Records() {
  using namespace store;
  Inode inode;
  inode.attr.type = FileType::kDirectory;
  inode.name = "name";
  return {
      Selected(0, EncodeInode(inode)),
      Selected(1, EncodeDentry({Ino{5}, FileType::kRegular})),
      Selected(2, EncodeOrphan({5})),
      Selected(3, EncodeGarbage({300, 4096})),
      Selected(4, EncodeSession({{1, 2}, 3, true, true, 4, Ino{5}, "host", {6}, true})),
      Selected(5, EncodeKeptReply({7, 8, "r"})),
      Selected(6, EncodeIdentity({"fs-1", "n", {1, 2}, {3, 4}, 16384, 5})),
      Selected(7, EncodeOpenMark({"boot", true})),
      Selected(8, EncodeFileSystem({"n", {5}, true})),
      Selected(9, DentryKey(Ino{1}, 2, "name")),
      Selected(9, OrphanKey(Ino{1})),
      Selected(9, GarbageKey(DataId{1})),
      Selected(9, SessionKey({1, 2})),
  };
}

Inputs Acls() {
  using posix::AclTag;
  using posix::EncodeAcl;
  const std::string minimal = EncodeAcl(
      {{{AclTag::kOwner, 6}, {AclTag::kOwningGroup, 4}, {AclTag::kOther, 4}}});
  const std::string full =
      EncodeAcl({{{AclTag::kOwner, 6}, {AclTag::kUser, 7, 5}, {AclTag::kOwningGroup, 4},
                  {AclTag::kGroup, 1, 6}, {AclTag::kMask, 5}, {AclTag::kOther, 4}}});
  return {std::string("\x40\x04", 2) + minimal, std::string("\x7f\x02", 2) + full};
}

Inputs Mounts() {
  return {Selected(0, "host:7433:/default/some/directory"), Selected(0, "[::1]:1:/fs-1"),
          Selected(1, "host:7433"), Selected(1, "[fe80::1]"),
          Selected(2, "ro,nosuid,tls,accesspoint=fsap-1,_netdev,log_level=debug"),
          Selected(6, "x-systemd.automount,user,nocache,relatime")};
}

int Write(const std::string& target, const std::filesystem::path& directory) {
  const std::vector<std::pair<std::string, Inputs (*)()>> all = {
      {"request", Requests}, {"reply", Replies}, {"session", Sessions}, {"frame", Frames},
      {"record", Records},   {"acl", Acls},      {"mount", Mounts}};
  for (const auto& [name, make] : all) {
    if (name != target) continue;
    std::filesystem::create_directories(directory);
    int number = 0;
    for (const std::string& input : make()) {
      std::ofstream file(directory / ("seed" + std::to_string(number++)), std::ios::binary);
      file << input;
      if (!file.flush()) return 1;
    }
    return 0;
  }
  std::cerr << "no such target: " << target << "\n";
  return 1;
}

}  // namespace
}  // namespace tarn::fuzz

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: fuzz_seeds TARGET DIRECTORY\n";
    return 1;
  }
  return tarn::fuzz::Write(argv[1], argv[2]);
}
