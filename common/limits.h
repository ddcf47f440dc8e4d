// Every bound and timeout of Tarn, in one place, with the relations that must hold between them.
// Units are in the names: Bytes, Nanos, or a plain count.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tarn {

// Version of the wire protocol: a server refuses other majors (see session.proto).
inline constexpr uint32_t kProtocolVersion = 1;
// Version of the on-disk format, in every store's `super`.
inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint16_t kDefaultPort = 7433;

// Names and trees.
inline constexpr size_t kNameMaxBytes = 255;
inline constexpr size_t kSymlinkMaxBytes = 4095;
inline constexpr uint32_t kLinkMax = 65'000;  // names of one file; directories hold any number
inline constexpr uint64_t kFileMaxBytes = 52'673'613'135'872;  // 47.9 TiB, EFS's own
inline constexpr size_t kXattrNameMaxBytes = 255;
inline constexpr size_t kXattrValueMaxBytes = 65'536;      // XATTR_SIZE_MAX of Linux
inline constexpr size_t kXattrInodeMaxBytes = 1024 * 1024;  // names and values of one inode
inline constexpr size_t kXattrListMaxBytes = 65'536;       // XATTR_LIST_MAX of Linux
inline constexpr size_t kGroupsMax = 65'536;               // NGROUPS_MAX of Linux

// What a file system can be told to be stricter about (tarnd's `efs-limits`). Inodes that are
// beyond a limit already stay as they are.
struct Limits {
  uint32_t links = kLinkMax;
  size_t symlink_bytes = kSymlinkMaxBytes;
  bool operator==(const Limits&) const = default;
};
inline constexpr Limits kOwnLimits;
inline constexpr Limits kEfsLimits{.links = 177, .symlink_bytes = 4'080};

// Data.
inline constexpr size_t kBlockBytes = 16 * 1024;         // of new file systems; fixed in `super`
inline constexpr size_t kRecordMaxBytes = 1024 * 1024;  // of a write that is never divided
// Data of one read or write. The kernel counts a request's pages, and a record whose buffer begins
// within a page covers one more than its length; a whole block more keeps long writes on blocks.
inline constexpr size_t kTransferMaxBytes = kRecordMaxBytes + kBlockBytes;
inline constexpr size_t kMessageMaxBytes = kTransferMaxBytes + 512 * 1024;  // with everything else
inline constexpr size_t kReadDirMaxBytes = 256 * 1024;   // of one readdir reply

// Sessions.
inline constexpr int64_t kSecondNanos = 1'000'000'000;
inline constexpr int64_t kSessionLifetimeNanos = 30 * kSecondNanos;
inline constexpr int64_t kHeartbeatNanos = kSessionLifetimeNanos / 3;
inline constexpr int64_t kSilentSessionMaxNanos = 24 * 3600 * kSecondNanos;
inline constexpr uint32_t kSlotsPerSession = 128;
inline constexpr uint32_t kWaitSlotsPerSession = 4'096;  // beyond those: for locks that wait
inline constexpr uint32_t kBlockedLocksPerSession = 65'536;  // parked lock requests
inline constexpr uint32_t kLocksPerSession = 65'536;         // EFS's own; ENOLCK beyond
inline constexpr uint32_t kOpensPerSession = 1'048'576;      // ENFILE beyond
inline constexpr uint32_t kSessionsMax = 4'096;

// Leases.
inline constexpr uint32_t kLeasesPerSession = 262'144;  // nothing new is granted beyond
// A session that lives but leaves a recall unanswered for so long is fenced.
inline constexpr int64_t kRecallDeadlineNanos = 30 * kSecondNanos;

// An orphan is freed no sooner than this after its last link went.
inline constexpr int64_t kOrphanMinAgeNanos = 5 * kSecondNanos;

static_assert(kHeartbeatNanos * 3 <= kSessionLifetimeNanos);
static_assert(kTransferMaxBytes % kBlockBytes == 0 && kBlockBytes >= 4096);
static_assert(kMessageMaxBytes > kTransferMaxBytes + kReadDirMaxBytes);
static_assert(kSymlinkMaxBytes < 4096 && kNameMaxBytes < 256);

}  // namespace tarn
