// Every bound and timeout of Tarn, in one place, with the relations that must hold between them.
// Units are in the names: Bytes, Nanos, or a plain count.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tarn {

// Version of the wire protocol: a server refuses other majors (see session.proto).
inline constexpr uint32_t kProtocolVersion = 2;
// Version of the on-disk format, in every store's `super`.
inline constexpr uint32_t kFormatVersion = 2;
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
inline constexpr uint32_t kPrefetchMaxBytes = kBlockBytes;  // that come with attributes
inline constexpr size_t kReadDirMaxBytes = 256 * 1024;   // of one readdir reply

// Sessions.
inline constexpr int64_t kSecondNanos = 1'000'000'000;
inline constexpr int64_t kSessionLifetimeNanos = 30 * kSecondNanos;
inline constexpr int64_t kHeartbeatNanos = kSessionLifetimeNanos / 3;
// What a server may be told, in whole seconds; the recall deadline likewise.
inline constexpr int64_t kSessionLifetimeSecondsMin = 3;
inline constexpr int64_t kSessionLifetimeSecondsMax = 300;
inline constexpr int64_t kSilentSessionMaxNanos = 24 * 3600 * kSecondNanos;
inline constexpr uint32_t kSlotsPerSession = 128;
inline constexpr uint32_t kWaitSlotsPerSession = 4'096;  // beyond those: for locks that wait
inline constexpr uint32_t kBlockedLocksPerSession = 65'536;  // parked lock requests
inline constexpr uint32_t kLocksPerSession = 65'536;         // EFS's own; ENOLCK beyond
inline constexpr uint32_t kOpensPerSession = 1'048'576;      // ENFILE beyond
inline constexpr uint32_t kEndedOpensPerRequest = 64;         // EINVAL beyond
// What a fenced session answered is kept for so long, of so many in one file system; the oldest go
// first.
inline constexpr int64_t kFencedSessionKeptNanos = 24 * 3600 * kSecondNanos;
inline constexpr uint32_t kFencedSessionsKept = 1'024;
inline constexpr uint32_t kFormerRequestsMax = 8;  // of one request: EINVAL beyond
inline constexpr uint32_t kSessionsMax = 4'096;
inline constexpr uint32_t kSessionsPerPeer = 1'024;  // from one address
// Opens of all sessions; beyond, who has more than the share gets ENFILE.
inline constexpr uint64_t kOpensMax = 4'194'304;
inline constexpr uint32_t kOpensShare = 1'024;
inline constexpr uint32_t kReclaimBatch = 4'096;       // opens, and locks, of one Reclaim
inline constexpr uint32_t kListenersPerRequest = 8;    // arrivals of one request that are waited on
inline constexpr uint32_t kControlTasksPerPeer = 256;  // Hello, Reclaim, Goodbye that queue
// Requests whose answers are not sent yet, in bytes: of all clients (tarnd's `request-memory-mib`);
// each address may have one share of it in any case. Each counts with its message, the contents
// that its reply may carry and an allowance for what is made of it.
inline constexpr uint64_t kRequestBytesMax = uint64_t{1} << 30;
inline constexpr uint64_t kRequestShares = 16;
inline constexpr uint64_t kRequestOverheadBytes = 4'096;
// Calls on one connection: all that a session may have under way, and some more.
inline constexpr int kCallsPerConnection = kSlotsPerSession + kWaitSlotsPerSession + 64;
// Unanswered calls of one stream of them: all but those that wait, and some more.
inline constexpr uint32_t kCallsPerStream = kSlotsPerSession + 64;
// Contents of a call that is made in the stream; more is an rpc of its own.
inline constexpr size_t kStreamedContentsMaxBytes = kBlockBytes;

// Leases.
inline constexpr uint32_t kLeasesPerSession = 262'144;  // nothing new is granted beyond
// A session that lives but leaves a recall unanswered for so long is fenced.
inline constexpr int64_t kRecallDeadlineNanos = 30 * kSecondNanos;
// So long may be answered by what StatFs has said.
inline constexpr int64_t kFiguresLeaseNanos = 5 * kSecondNanos;

// What a client keeps in memory, in MiB (`-o cache-mib`).
inline constexpr uint32_t kCacheMibDefault = 256;
inline constexpr uint32_t kCacheMibMin = 16;
inline constexpr uint32_t kCacheMibMax = 1 << 20;

// How long a server waits for its clients (tarnd's `session-lifetime` and `recall-deadline`).
struct Timing {
  int64_t session_lifetime_nanos = kSessionLifetimeNanos;
  int64_t recall_deadline_nanos = kRecallDeadlineNanos;
  // How often a client speaks that has nothing to say.
  int64_t heartbeat_nanos() const { return session_lifetime_nanos / 3; }
};

// An orphan is freed no sooner than this after its last link went.
inline constexpr int64_t kOrphanMinAgeNanos = 5 * kSecondNanos;

static_assert(kSessionsPerPeer < kSessionsMax && kOpensShare < kOpensPerSession);
static_assert(kRequestBytesMax / kRequestShares > 16 * kMessageMaxBytes);
static_assert(kHeartbeatNanos * 3 <= kSessionLifetimeNanos);
// Whoever comes back from being given up finds its answers.
static_assert(kFencedSessionKeptNanos > kSessionLifetimeSecondsMax * kSecondNanos);
static_assert(kSessionLifetimeSecondsMin * kSecondNanos <= kSessionLifetimeNanos &&
              kSessionLifetimeNanos <= kSessionLifetimeSecondsMax * kSecondNanos);
static_assert(kTransferMaxBytes % kBlockBytes == 0 && kBlockBytes >= 4096);
static_assert(kMessageMaxBytes > kTransferMaxBytes + kReadDirMaxBytes);
static_assert(kSymlinkMaxBytes < 4096 && kNameMaxBytes < 256);

}  // namespace tarn
