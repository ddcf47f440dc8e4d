// The spine: one asynchronous interface, FileSystem, from the kernel's border to the disk.
//
// FuseBridge calls it, RemoteFs carries it over gRPC, LocalFs runs it on the store; every stage is
// these verbs plus one concern. The verbs' meaning and errors are in proto/SEMANTICS.md and, by
// verb, in proto/filesystem.proto; the argument structs here mirror those messages one to one.
//
// Contract of every verb:
// - `done` runs exactly once, on any thread, perhaps before the call returns. It must not block and
//   is called with no lock held.
// - A Result's errno is the answer and is final: whoever gets it does not try again.
// - Arguments are taken by value; `caller` is copied where it is needed after the call returns.
// - A caller's Cancellation may end a call that waits, with EINTR and without effect; a call that
//   no longer waits ignores it.
// Thread safety: all verbs may be called from any thread at once.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "common/bytes.h"
#include "common/cancellation.h"
#include "common/lease.h"
#include "common/result.h"
#include "common/types.h"

namespace tarn {

template <class R>
using Done = absl::AnyInvocable<void(Result<R>) &&>;

// Names one request of a session for exactly-once execution: see session.proto.
struct RequestId {
  uint32_t slot = 0;
  uint64_t sequence = 0;
  bool operator==(const RequestId&) const = default;
};

// What a request was under sessions of the same client that were fenced before they answered it.
struct FormerRequest {
  SessionId session;
  RequestId request;
  bool operator==(const FormerRequest&) const = default;
};
struct Formerly {
  SessionId previous;  // the one that the caller's session follows; none: {}
  std::vector<FormerRequest> requests;  // the latest first
};

// On whose behalf a verb runs. The front of the server fills in the session's part and applies its
// identity rule, so that rules see only the identity that counts.
struct Caller {
  Uid uid = 0;
  Gid gid = 0;
  // Supplementary groups; nullopt: not read yet. A verdict of EACCES or EPERM without them is
  // provisional: FuseBridge reads them and asks once more.
  std::optional<std::vector<Gid>> groups;
  uint32_t pid = 0;  // thread group; shown by GetLock only
  SessionId session;
  uint64_t access_point = 0;         // 0: none; goes into handle tags
  bool read_only = false;            // mutations fail with EROFS
  std::optional<RequestId> request;  // nullopt: no replay is possible (in-process callers)
  // The server cannot tell from memory whether it has seen this request: look for a kept reply.
  bool maybe_replay = false;
  // The same for sessions before this one; null: it was never asked there.
  std::shared_ptr<const Formerly> formerly;
  // Becomes true for ever when the session ends, before another one follows it: what is asked in
  // its name changes nothing any more. Null: it does not end.
  std::shared_ptr<const std::atomic<bool>> session_ended;
  std::shared_ptr<Cancellation> cancellation;  // null: cannot be cancelled
  // How long the call may wait for a server that is away; then it fails with EIO, and may take
  // effect later all the same. 0: for ever.
  int64_t patience_nanos = 0;
  // If it does, what it has opened stays open, as its maker knows how to go on.
  bool keeps_late_open = false;
  // Where the verb's news of leases go, before `done` runs. Null: the caller caches nothing, and
  // nothing is granted to it.
  std::shared_ptr<LeaseNews> leases;
};

// ---- arguments and replies ---------------------------------------------------------------------

struct EntryReply {
  Handle handle;
  Attr attr;
};
struct AttrReply {
  Attr attr;
};

// Contents of a regular file that are wished for together with its attributes: they come as
// LeaseNews::contents, or do not.
struct Prefetch {
  uint64_t offset = 0;
  uint32_t size = 0;  // at most kPrefetchMaxBytes, EINVAL beyond; 0: none
};

struct LookupArgs {
  Handle dir;
  std::string name;  // "." and ".." are allowed here only
  Prefetch prefetch = {};
};
struct GetAttrArgs {
  Handle inode;
  Prefetch prefetch = {};
};

struct SetAttrArgs {
  Handle inode;
  std::optional<OpenId> open;  // ftruncate, futimens: the descriptor's access counts for size
  std::optional<uint32_t> mode;
  std::optional<Uid> uid;
  std::optional<Gid> gid;
  std::optional<uint64_t> size;
  bool atime_now = false, mtime_now = false;  // the server's clock; owner or writer may
  std::optional<Timestamp> atime, mtime;      // owner only
  bool kill_privileges = false;               // the kernel asks to drop suid/sgid with this change
};

struct ReadLinkArgs {
  Handle inode;
};
struct ReadLinkReply {
  std::string target;
};

// mknod(2): regular files, FIFOs, sockets, devices.
struct MakeNodeArgs {
  Handle dir;
  std::string name;
  FileType type = FileType::kRegular;
  uint32_t mode = 0;   // 07777, before the umask
  uint32_t umask = 0;  // applied unless the directory has a default ACL
  uint64_t rdev = 0;
};
struct MakeDirArgs {
  Handle dir;
  std::string name;
  uint32_t mode = 0;
  uint32_t umask = 0;
};
struct SymLinkArgs {
  Handle dir;
  std::string name;
  std::string target;
};
struct UnlinkArgs {
  Handle dir;
  std::string name;
};
struct RemoveDirArgs {
  Handle dir;
  std::string name;
};

// Sent: never renumber.
enum class RenameMode : uint8_t { kReplace = 0, kNoReplace = 1, kExchange = 2 };
struct RenameArgs {
  Handle dir;
  std::string name;
  Handle new_dir;
  std::string new_name;
  RenameMode mode = RenameMode::kReplace;
};
struct LinkArgs {
  Handle inode;
  Handle new_dir;
  std::string new_name;
};

// What a descriptor may do. Bits; sent: never renumber.
enum class OpenAccess : uint8_t { kNone = 0, kRead = 1, kWrite = 2, kReadWrite = 3 };
constexpr bool CanRead(OpenAccess a) { return (static_cast<int>(a) & 1) != 0; }
constexpr bool CanWrite(OpenAccess a) { return (static_cast<int>(a) & 2) != 0; }

struct OpenArgs {
  Handle inode;
  OpenId open{};  // chosen by the client; the same id again is the same open (idempotent)
  OpenAccess access = OpenAccess::kRead;
  bool truncate = false;
  bool execute = false;  // opened by execve: execute permission is checked instead of read
};
struct OpenReply {
  Attr attr;
};

// open(O_CREAT): makes `name`, or opens what is there unless `exclusive`.
struct CreateArgs {
  Handle dir;
  std::string name;
  uint32_t mode = 0;
  uint32_t umask = 0;
  OpenId open{};
  OpenAccess access = OpenAccess::kRead;
  bool exclusive = false;
  bool truncate = false;
};
struct CreateReply {
  EntryReply entry;
  bool created = false;
};
// open(O_TMPFILE): an inode without a name, opened.
struct CreateTmpArgs {
  Handle dir;
  uint32_t mode = 0;
  uint32_t umask = 0;
  OpenId open{};
  OpenAccess access = OpenAccess::kRead;
  bool linkable = true;  // false: O_EXCL was given, no later link
};

// End of an open: drops the flock and the range locks set through it and, with the last open of
// an unlinked inode, the inode.
struct ReleaseArgs {
  Handle inode;
  OpenId open{};
  bool accessed = false;  // through it were read contents that had come with attributes
};
struct ReadArgs {
  Handle inode;
  OpenId open{};
  uint64_t offset = 0;
  uint32_t size = 0;  // at most kTransferMaxBytes
  bool direct = false;  // the reader keeps nothing of it, so that it needs no lease
};
struct ReadReply {
  Bytes data;  // shorter than asked for only at the end of the file
};
struct WriteArgs {
  Handle inode;
  OpenId open{};
  uint64_t offset = 0;  // ignored with `append`
  bool append = false;  // at the end of the file as it is when the write is applied
  bool kill_privileges = false;  // drop suid and sgid (the writer lacks CAP_FSETID)
  bool mapped = false;           // stored through a mapping: drops nothing
  // When it was made, under an exclusive lease; nullopt: now. Becomes mtime and ctime, but never
  // earlier than the inode's ctime nor later than the server's now.
  std::optional<Timestamp> made;
  Bytes data;                    // at most kTransferMaxBytes
};
struct WriteReply {
  uint64_t offset = 0;  // where the data went
  Attr attr;            // after the write
};

// close(2) of one descriptor: drops the owner's range locks on the inode.
struct FlushArgs {
  Handle inode;
  OpenId open{};
  LockOwner owner{};
  bool locks = true;  // not sent; false: the owner has none, so a cache need not ask on
};
// fsync(2) of a file or directory: everything acknowledged for the inode so far is durable.
struct FsyncArgs {
  Handle inode;
  bool data_only = false;
  OpenId open{};  // not sent; the descriptor that is told of a late write's error; 0: none
};

struct ReadDirArgs {
  Handle dir;
  uint64_t cookie = 0;     // of the last entry seen; 0: from the start
  uint32_t max_bytes = 0;  // rough bound of the reply, up to kReadDirMaxBytes; one always fits
  bool plus = false;       // with handles and attributes
};
struct DirEntry {
  std::string name;  // "." and ".." come first, with cookies 1 and 2
  Ino ino = kNoIno;
  FileType type = FileType::kRegular;
  uint64_t cookie = 0;
  std::optional<EntryReply> entry;  // with `plus`; absent for ".." and where not to be had
};
struct ReadDirReply {
  std::vector<DirEntry> entries;
  bool end = false;  // nothing follows
};

struct StatFsArgs {
  Handle inode;
};
struct StatFsReply {
  uint64_t bytes_total = 0, bytes_used = 0;
  uint64_t inodes_total = 0, inodes_used = 0;
};

struct GetXattrArgs {
  Handle inode;
  std::string name;
};
struct GetXattrReply {
  std::string value;
};
// Sent: never renumber.
enum class XattrMode : uint8_t { kSet = 0, kCreate = 1, kReplace = 2 };
struct SetXattrArgs {
  Handle inode;
  std::string name;
  std::string value;
  XattrMode mode = XattrMode::kSet;
};
struct ListXattrArgs {
  Handle inode;
};
struct ListXattrReply {
  std::vector<std::string> names;
};
struct RemoveXattrArgs {
  Handle inode;
  std::string name;
};
struct AccessArgs {
  Handle inode;
  uint32_t mask = 0;  // R_OK 4, W_OK 2, X_OK 1; 0: existence
};

// Sent: never renumber.
enum class AllocateMode : uint8_t {
  kExtend = 0,
  kKeepSize = 1,
  kPunchHole = 2,
  kZeroRange = 3,
  kZeroRangeKeepSize = 4,
};
struct AllocateArgs {
  Handle inode;
  OpenId open{};
  uint64_t offset = 0;
  uint64_t length = 0;
  AllocateMode mode = AllocateMode::kExtend;
};
// Sent: never renumber.
enum class SeekWhence : uint8_t { kData = 0, kHole = 1 };
struct SeekArgs {
  Handle inode;
  OpenId open{};
  uint64_t offset = 0;
  SeekWhence whence = SeekWhence::kData;
};
struct SeekReply {
  uint64_t offset = 0;
};
struct CopyRangeArgs {
  Handle source;
  OpenId source_open{};
  uint64_t source_offset = 0;
  Handle target;
  OpenId target_open{};
  uint64_t target_offset = 0;
  uint64_t length = 0;
};
struct CopyRangeReply {
  uint64_t copied = 0;  // may be less than asked for: the caller goes on from there
};

// Sent: never renumber.
enum class LockKind : uint8_t { kRange = 0, kFlock = 1 };  // fcntl and OFD ranges are one kind
enum class LockType : uint8_t { kUnlock = 0, kRead = 1, kWrite = 2 };
inline constexpr uint64_t kLockToEnd = UINT64_MAX;
struct FileLock {
  LockType type = LockType::kUnlock;
  uint64_t start = 0;
  uint64_t end = kLockToEnd;  // last byte, inclusive
  uint32_t pid = 0;           // of the holder, on its host
};
struct GetLockArgs {
  Handle inode;
  OpenId open{};
  LockOwner owner{};
  FileLock lock;
};
struct GetLockReply {
  // Type kUnlock: the lock could be placed. Asked with kUnlock: the owner's own in the range.
  FileLock conflict;
};
struct SetLockArgs {
  Handle inode;
  OpenId open{};
  LockOwner owner{};
  LockKind kind = LockKind::kRange;
  bool wait = false;
  FileLock lock;
};

// ---- the interface -----------------------------------------------------------------------------

class FileSystem {
 public:
  virtual ~FileSystem() = default;

#define TARN_DECLARE_VERB(verb, args, reply, mutates) \
  virtual void verb(const Caller& caller, args arguments, Done<reply> done) = 0;
#include "common/verbs.inc"
#undef TARN_DECLARE_VERB
};

}  // namespace tarn
