#include "server/store/super.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "common/limits.h"
#include "common/log.h"
#include "server/store/keys.h"
#include "server/store/records.h"

namespace tarn::store {
namespace {

uint64_t Random64() {
  uint64_t n = 0;
  // The kernel always has 8 bytes once it is up; there is nothing to fall back to.
  if (getrandom(&n, sizeof(n), 0) != sizeof(n)) std::abort();
  return n;
}

Inode MakeRoot(Timestamp now) {
  Inode root;
  root.attr.ino = kRootIno;
  root.attr.type = FileType::kDirectory;
  root.attr.mode = 0755;
  root.attr.nlink = 2;
  root.attr.size = 4096;
  root.attr.atime = root.attr.mtime = root.attr.ctime = root.attr.btime = now;
  root.attr.version = 1;
  root.attr.no_xattrs = true;
  root.parent = kRootIno;
  return root;
}

// One batch: there is a whole file system, or none.
Status Create(Kv& kv, Clock& clock, const std::string& name, const std::string& id) {
  Identity identity;
  identity.id = id.empty() ? NewFileSystemId() : id;
  identity.name = name;
  identity.hash_key = {Random64(), Random64()};
  identity.tag_key = {Random64(), Random64()};
  identity.block_bytes = kBlockBytes;
  identity.incarnation = Random64();
  Batch batch;
  auto put = [&batch](std::string_view key, std::string value) {
    batch.Put(Family::kSuper, std::string(key), Bytes::FromString(std::move(value)));
  };
  put(kFormatKey, Be32(kFormatVersion));
  put(kIdentityKey, EncodeIdentity(identity));
  put(kOpenKey, EncodeOpenMark({BootId(), true}));
  put(kNextInoKey, Be64(Raw(kRootIno) + 1));
  put(kNextDataKey, Be64(1));
  batch.Put(Family::kInode, InodeKey(kRootIno),
            Bytes::FromString(EncodeInode(MakeRoot(clock.Now()))));
  batch.Add(Family::kSuper, std::string(kInodesKey), 1);
  return kv.Write(batch, Tier::kMayBlock);
}

// EIO if it is absent: every file system has it.
Result<ByteSlice> Need(Kv& kv, std::string_view key) {
  ASSIGN_OR_RETURN(auto value, kv.Get(Family::kSuper, key, Tier::kMayBlock));
  if (!value) return Error(Errno::kEIO, fmt::format("corrupt: super has no {}", key));
  return *value;
}

Result<uint64_t> NeedBe64(Kv& kv, std::string_view key) {
  ASSIGN_OR_RETURN(const ByteSlice value, Need(kv, key));
  std::optional<uint64_t> number = ReadBe64(value.view);
  if (!number) return Error(Errno::kEIO, fmt::format("corrupt: super's {} is no number", key));
  return *number;
}

Result<int64_t> ReadCounter(Kv& kv, std::string_view key) {
  ASSIGN_OR_RETURN(auto value, kv.Get(Family::kSuper, key, Tier::kMayBlock));
  if (!value) return int64_t{0};
  std::optional<int64_t> number = ReadLe64(value->view);
  if (!number) return Error(Errno::kEIO, fmt::format("corrupt: super's {} is no counter", key));
  return *number;
}

Result<SuperState> Load(Kv& kv) {
  SuperState state;
  ASSIGN_OR_RETURN(const ByteSlice identity, Need(kv, kIdentityKey));
  ASSIGN_OR_RETURN(state.identity, DecodeIdentity(identity.view));
  ASSIGN_OR_RETURN(state.next_ino, NeedBe64(kv, kNextInoKey));
  ASSIGN_OR_RETURN(state.next_data, NeedBe64(kv, kNextDataKey));
  ASSIGN_OR_RETURN(state.bytes, ReadCounter(kv, kBytesKey));
  ASSIGN_OR_RETURN(state.inodes, ReadCounter(kv, kInodesKey));
  return state;
}

Status TakeOver(Kv& kv, SuperState& state) {
  ASSIGN_OR_RETURN(const ByteSlice open, Need(kv, kOpenKey));
  ASSIGN_OR_RETURN(const OpenMark last, DecodeOpenMark(open.view));
  const std::string boot_id = BootId();
  Batch batch;
  auto put = [&batch](std::string_view key, std::string value) {
    batch.Put(Family::kSuper, std::string(key), Bytes::FromString(std::move(value)));
  };
  if (!last.clean && last.boot_id != boot_id) {
    const uint64_t before = state.identity.incarnation;
    while (state.identity.incarnation == before) state.identity.incarnation = Random64();
    put(kIdentityKey, EncodeIdentity(state.identity));
    LogWarning("file system {}: the machine stopped while it was open; what was not yet durable "
               "may be lost", state.identity.id);
  }
  state.ino_bound = state.next_ino + IdAllocator::kStride;
  state.data_bound = state.next_data + IdAllocator::kStride;
  put(kOpenKey, EncodeOpenMark({boot_id, false}));
  put(kNextInoKey, Be64(state.ino_bound));
  put(kNextDataKey, Be64(state.data_bound));
  RETURN_IF_ERROR(kv.Write(batch, Tier::kMayBlock));
  return kv.SyncWal();
}

}  // namespace

Result<SuperState> OpenSuper(Kv& kv, Clock& clock, bool create, const std::string& name,
                             const std::string& id) {
  ASSIGN_OR_RETURN(auto format, kv.Get(Family::kSuper, kFormatKey, Tier::kMayBlock));
  if (!format) {
    if (!create) return Error(Errno::kENOENT, "there is no file system in it");
    RETURN_IF_ERROR(Create(kv, clock, name, id));
  } else {
    RETURN_IF_ERROR(CheckFormat(format->view));
  }
  ASSIGN_OR_RETURN(SuperState state, Load(kv));
  RETURN_IF_ERROR(TakeOver(kv, state));
  return state;
}

Status MarkClosed(Kv& kv, uint64_t next_ino, uint64_t next_data) {
  Batch batch;
  auto put = [&batch](std::string_view key, std::string value) {
    batch.Put(Family::kSuper, std::string(key), Bytes::FromString(std::move(value)));
  };
  put(kOpenKey, EncodeOpenMark({BootId(), true}));
  put(kNextInoKey, Be64(next_ino));
  put(kNextDataKey, Be64(next_data));
  RETURN_IF_ERROR(kv.Write(batch, Tier::kMayBlock));
  return kv.SyncWal();
}

Status CheckFormat(std::string_view stored) {
  std::optional<uint32_t> version = ReadBe32(stored);
  if (!version) return Error(Errno::kEIO, "corrupt: the format version is no number");
  if (*version == kFormatVersion) return Ok();
  if (*version < kFormatVersion) {
    return Error(Errno::kEINVAL,
                 fmt::format("it has the older format version {}: start tarnd on it once, which "
                             "upgrades it to version {}", *version, kFormatVersion));
  }
  return Error(Errno::kEINVAL,
               fmt::format("it has format version {}, and this tarnd reads version {}: run the "
                           "tarnd that wrote it, or give this one another state directory",
                           *version, kFormatVersion));
}

std::string NewFileSystemId() {
  return fmt::format("fs-{:016x}{:x}", Random64(), Random64() & 0xf);
}

std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;  // unreadable: empty, the same each time, as if the machine never stopped
}

}  // namespace tarn::store
