#include "server/store/records.h"

#include <fmt/format.h>

#include <utility>

#include "server/store/keys.h"
#include "server/store/records.pb.h"

namespace tarn::store {
namespace {

Error Corrupt(std::string_view what, std::string_view key) {
  return {Errno::kEIO, fmt::format("corrupt {} record at key {}", what, PrintKey(key))};
}

template <class M>
bool Parse(std::string_view bytes, M& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

bool IsFileType(uint32_t type) {
  switch (static_cast<FileType>(type)) {
    case FileType::kFifo:
    case FileType::kCharDevice:
    case FileType::kDirectory:
    case FileType::kBlockDevice:
    case FileType::kRegular:
    case FileType::kSymlink:
    case FileType::kSocket:
      return type < 16;
  }
  return false;
}

}  // namespace

std::string EncodeInode(const Inode& inode) {
  records::InodeRecord m;
  m.set_type(Raw(inode.attr.type));
  m.set_mode(inode.attr.mode);
  m.set_nlink(inode.attr.nlink);
  m.set_uid(inode.attr.uid);
  m.set_gid(inode.attr.gid);
  m.set_rdev(inode.attr.rdev);
  m.set_size(inode.attr.size);
  m.set_allocated(inode.attr.allocated);
  m.set_atime(inode.attr.atime.ns);
  m.set_mtime(inode.attr.mtime.ns);
  m.set_ctime(inode.attr.ctime.ns);
  m.set_btime(inode.attr.btime.ns);
  m.set_version(inode.attr.version);
  m.set_data(Raw(inode.data));
  m.set_quota(Raw(inode.quota));
  m.set_target(inode.target);
  m.set_parent(Raw(inode.parent));
  m.set_name(inode.name);
  m.set_access_day(inode.access_day);
  m.set_unlinkable(!inode.linkable);
  m.set_no_xattrs(inode.attr.no_xattrs);
  return m.SerializeAsString();
}

Result<Inode> DecodeInode(Ino ino, std::string_view bytes) {
  records::InodeRecord m;
  if (!Parse(bytes, m) || !IsFileType(m.type())) return Corrupt("inode", InodeKey(ino));
  Inode inode;
  inode.attr.ino = ino;
  inode.attr.type = static_cast<FileType>(m.type());
  inode.attr.mode = m.mode();
  inode.attr.nlink = m.nlink();
  inode.attr.uid = m.uid();
  inode.attr.gid = m.gid();
  inode.attr.rdev = m.rdev();
  inode.attr.size = m.size();
  inode.attr.allocated = m.allocated();
  inode.attr.atime.ns = m.atime();
  inode.attr.mtime.ns = m.mtime();
  inode.attr.ctime.ns = m.ctime();
  inode.attr.btime.ns = m.btime();
  inode.attr.version = m.version();
  inode.data = DataId{m.data()};
  inode.quota = QuotaId{m.quota()};
  inode.target = std::move(*m.mutable_target());
  inode.parent = Ino{m.parent()};
  inode.name = std::move(*m.mutable_name());
  inode.access_day = m.access_day();
  inode.linkable = !m.unlinkable();
  inode.attr.no_xattrs = m.no_xattrs();
  return inode;
}

std::string EncodeDentry(const Dentry& dentry) {
  std::string out = Be64(Raw(dentry.ino));
  out.push_back(static_cast<char>(Raw(dentry.type)));
  return out;
}

Result<Dentry> DecodeDentry(std::string_view key, std::string_view bytes) {
  if (bytes.size() != 9) return Corrupt("dentry", key);
  const auto type = static_cast<uint8_t>(bytes[8]);
  const Ino ino{*ReadBe64(bytes.substr(0, 8))};
  if (!IsFileType(type) || ino == kNoIno) return Corrupt("dentry", key);
  return Dentry{ino, static_cast<FileType>(type)};
}

std::string EncodeOrphan(Timestamp since) {
  records::OrphanRecord m;
  m.set_since(since.ns);
  return m.SerializeAsString();
}

Result<Timestamp> DecodeOrphan(std::string_view key, std::string_view bytes) {
  records::OrphanRecord m;
  if (!Parse(bytes, m)) return Corrupt("orphan", key);
  return Timestamp{m.since()};
}

std::string EncodeGarbage(const Garbage& garbage) {
  records::GarbageRecord m;
  m.set_blocks(garbage.blocks);
  m.set_bytes(garbage.bytes);
  return m.SerializeAsString();
}

Result<Garbage> DecodeGarbage(std::string_view key, std::string_view bytes) {
  records::GarbageRecord m;
  if (!Parse(bytes, m)) return Corrupt("garbage", key);
  return Garbage{m.blocks(), m.bytes()};
}

std::string EncodeSession(const SessionRecord& session) {
  records::SessionRecord m;
  m.set_epoch(session.epoch);
  m.set_fenced(session.fenced);
  m.set_read_only(session.read_only);
  m.set_access_point(session.access_point);
  m.set_root(Raw(session.root));
  m.set_client_name(session.client_name);
  m.set_opened(session.opened.ns);
  m.set_silent(session.silent);
  m.set_fenced_at(session.fenced_at.ns);
  m.set_previous_high(session.previous.high);
  m.set_previous_low(session.previous.low);
  return m.SerializeAsString();
}

Result<SessionRecord> DecodeSession(SessionId id, std::string_view bytes) {
  records::SessionRecord m;
  if (!Parse(bytes, m)) return Corrupt("session", SessionKey(id));
  SessionRecord session;
  session.id = id;
  session.epoch = m.epoch();
  session.fenced = m.fenced();
  session.read_only = m.read_only();
  session.access_point = m.access_point();
  session.root = Ino{m.root()};
  session.client_name = std::move(*m.mutable_client_name());
  session.opened.ns = m.opened();
  session.silent = m.silent();
  session.fenced_at.ns = m.fenced_at();
  session.previous = {m.previous_high(), m.previous_low()};
  return session;
}

std::string EncodeKeptReply(const KeptReply& reply) {
  records::KeptReplyRecord m;
  m.set_sequence(reply.sequence);
  m.set_verb(reply.verb);
  m.set_reply(reply.reply);
  return m.SerializeAsString();
}

Result<KeptReply> DecodeKeptReply(std::string_view key, std::string_view bytes) {
  records::KeptReplyRecord m;
  if (!Parse(bytes, m) || m.verb() > UINT8_MAX) return Corrupt("kept reply", key);
  return KeptReply{m.sequence(), static_cast<uint8_t>(m.verb()), std::move(*m.mutable_reply())};
}

std::string EncodeIdentity(const Identity& identity) {
  records::IdentityRecord m;
  m.set_id(identity.id);
  m.set_name(identity.name);
  m.set_hash_key_0(identity.hash_key.k0);
  m.set_hash_key_1(identity.hash_key.k1);
  m.set_tag_key_0(identity.tag_key.k0);
  m.set_tag_key_1(identity.tag_key.k1);
  m.set_block_bytes(identity.block_bytes);
  m.set_incarnation(identity.incarnation);
  return m.SerializeAsString();
}

Result<Identity> DecodeIdentity(std::string_view bytes) {
  records::IdentityRecord m;
  const bool parsed = Parse(bytes, m);
  const uint32_t block = m.block_bytes();
  // A power of two from 4 KiB on: what the arithmetic of layout.h relies on.
  const bool usable = block >= 4096 && (block & (block - 1)) == 0;
  if (!parsed || !usable) return Corrupt("identity", kIdentityKey);
  Identity identity;
  identity.id = std::move(*m.mutable_id());
  identity.name = std::move(*m.mutable_name());
  identity.hash_key = {m.hash_key_0(), m.hash_key_1()};
  identity.tag_key = {m.tag_key_0(), m.tag_key_1()};
  identity.block_bytes = block;
  identity.incarnation = m.incarnation();
  return identity;
}

std::string EncodeOpenMark(const OpenMark& mark) {
  records::OpenRecord m;
  m.set_boot_id(mark.boot_id);
  m.set_clean(mark.clean);
  return m.SerializeAsString();
}

Result<OpenMark> DecodeOpenMark(std::string_view bytes) {
  records::OpenRecord m;
  if (!Parse(bytes, m)) return Corrupt("open", kOpenKey);
  return OpenMark{std::move(*m.mutable_boot_id()), m.clean()};
}

std::string EncodeFileSystem(const FileSystemEntry& entry) {
  using Message = records::FileSystemRecord;
  Message m;
  m.set_name(entry.name);
  m.set_created(entry.created.ns);
  m.set_state(entry.available ? Message::AVAILABLE : Message::CREATING);
  return m.SerializeAsString();
}

Result<FileSystemEntry> DecodeFileSystem(std::string_view key, std::string_view bytes) {
  using Message = records::FileSystemRecord;
  Message m;
  if (!Parse(bytes, m) || m.state() == Message::UNKNOWN) return Corrupt("file system", key);
  return FileSystemEntry{std::move(*m.mutable_name()), Timestamp{m.created()},
                         m.state() == Message::AVAILABLE};
}

}  // namespace tarn::store
