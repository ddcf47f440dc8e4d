// How the generator chooses arguments: the places where file systems go wrong, more often than not.
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "tests/posix/differential/generator.h"
#include "tests/posix/differential/wire.h"

namespace tarn::differential {
namespace {

constexpr size_t kRecent = 10;
constexpr int64_t kMaxOffset = int64_t{1} << 42;

}  // namespace

std::string Generator::Name() {
  static constexpr const char* kPlain[] = {"a", "b", "c", "d", "e", "f"};
  if (!OneIn(8)) return Pick(kPlain);
  switch (Below(16)) {
    case 0:
    case 1:
      return std::string(OneIn(6) ? 256 : 255, 'L');  // one too long, at times
    case 2:
      return ".";
    case 3:
      return "..";
    case 4:
      return "a/";
    case 5:
      return "b/.";
    case 6:
      return std::string(254, '\xff') + "\x01";
    default:
      return "\n \x01\xff*\\\"";
  }
}

std::string Generator::Directory() {
  static constexpr const char* kTop[] = {"d0/", "d1/", "pub/", "sgid/", "own/", "acl/", ""};
  if (!directories_.empty() && OneIn(3)) return directories_[Below(directories_.size())];
  std::string dir = Pick(kTop);
  if (OneIn(12)) dir += Name() + "/";
  if (OneIn(40)) dir += Name() + "/";
  return dir;
}

std::string Generator::Path() {
  if (!existing_.empty() && !OneIn(4)) return existing_[Below(existing_.size())];
  if (!recent_.empty() && !OneIn(3)) return recent_[Below(recent_.size())];
  if (OneIn(300)) return "";
  if (OneIn(40)) return Directory();
  return NewPath();
}

std::string Generator::File() {
  std::string path = Path();
  for (int tries = 0; tries < 3 && !OneIn(8); ++tries) {
    const bool directory =
        path.ends_with('/') ||
        std::find(directories_.begin(), directories_.end(), path + "/") != directories_.end();
    if (!directory) break;
    path = Path();
  }
  return path;
}

std::string Generator::NewPath() {
  std::string path = Directory() + Name();
  if (OneIn(60)) path = "/" + path;
  if (recent_.size() < kRecent) {
    recent_.push_back(path);
  } else {
    recent_[Below(kRecent)] = path;
  }
  return path;
}

int64_t Generator::Slot() {
  const uint64_t slot = Below(kSlots);
  if (OneIn(8)) return static_cast<int64_t>(slot);
  for (uint64_t i = 0; i < kSlots; ++i) {
    const uint64_t candidate = (slot + i) % kSlots;
    if (open_[process_][candidate]) return static_cast<int64_t>(candidate);
  }
  return static_cast<int64_t>(slot);
}

int64_t Generator::Mode() {
  static constexpr int64_t kModes[] = {0644, 0600, 0666,  0755,  0777,  0777,  0755,  0666, 0222,
                                       0111, 0070, 02755, 04755, 06777, 01777, 02666, 0640, 0770};
  return OneIn(10) ? static_cast<int64_t>(Below(010000)) : Pick(kModes);
}

int64_t Generator::Offset() {
  static constexpr int64_t kEdges[] = {0, 1, 511, 4096, 8192, 16384, 32768, 49152, 65536, 131072};
  if (OneIn(150)) return static_cast<int64_t>(Below(kMaxOffset));
  if (OneIn(100)) return -1;
  if (OneIn(4)) return static_cast<int64_t>(Below(150'000));
  return std::max<int64_t>(0, Pick(kEdges) + static_cast<int64_t>(Below(3)) - 1);
}

int64_t Generator::Length() {
  static constexpr int64_t kEdges[] = {0, 1, 10, 512, 4096, 4097, 16384, 16385, 40000};
  if (OneIn(60)) return static_cast<int64_t>(Below(300'000));
  return OneIn(3) ? static_cast<int64_t>(Below(20'000)) : Pick(kEdges);
}

int64_t Generator::Time() {
  static constexpr int64_t kTimes[] = {kOmitTime,
                                       kTimeNow,
                                       0,
                                       1,
                                       -1,
                                       1234567890'123456789,
                                       -1000000000'000000001,
                                       2147483648'000000000,
                                       4102444800'999999999};
  return OneIn(3) ? kOmitTime : Pick(kTimes);
}

// A POSIX ACL as the kernel takes it: be it right, be it with a mask missing or entries in
// disorder.
std::string Generator::Acl() {
  enum Tag : uint16_t {
    kUserObj = 1,
    kUser = 2,
    kGroupObj = 4,
    kGroup = 8,
    kMask = 16,
    kOther = 32
  };
  std::string value;
  Put(uint32_t{2}, &value);
  const auto add = [&](Tag tag, uint32_t id) {
    Put(static_cast<uint16_t>(tag), &value);
    Put(static_cast<uint16_t>(Below(8)), &value);
    Put(id, &value);
  };
  const bool extended = !OneIn(4);
  add(kUserObj, UINT32_MAX);
  if (extended && !OneIn(3)) add(kUser, 1000);
  if (extended && OneIn(2)) add(kUser, OneIn(20) ? 7 : 1001);
  add(kGroupObj, UINT32_MAX);
  if (extended && OneIn(2)) add(kGroup, 3000);
  if (extended && !OneIn(20)) add(kMask, UINT32_MAX);
  if (!OneIn(30)) add(kOther, UINT32_MAX);
  if (OneIn(40)) value.resize(value.size() - 3);
  if (OneIn(40)) value.resize(4);
  return value;
}

void Generator::Xattr(std::string* name, std::string* value) {
  static const std::string& long_name = *new std::string("user." + std::string(250, 'n'));
  static constexpr const char* kNames[] = {"user.a", "user.b",     "trusted.t", "security.s",
                                           "user.",  "nonsense.x", "system.y"};
  value->assign(Below(OneIn(5) ? 600 : 40), static_cast<char>(Below(256)));
  switch (Below(8)) {
    case 0:
    case 1:
      *name = "system.posix_acl_access";
      *value = Acl();
      return;
    case 2:
      *name = OneIn(3) ? "system.posix_acl_access" : "system.posix_acl_default";
      *value = Acl();
      return;
    case 3:
      *name = "security.capability";
      // VFS_CAP_REVISION_2 with cap_net_raw, or something that is no capability.
      *value = std::string("\0\0\0\2\0\x20\0\0\0\x20\0\0\0\0\0\0\0\0\0\0", OneIn(5) ? 7 : 20);
      return;
    case 4:
      *name = OneIn(6) ? long_name : "user.a";
      return;
    default:
      *name = Pick(kNames);
  }
}

void Generator::FillOpen(Op* op) {
  static constexpr int64_t kExtra[] = {O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_PATH,   O_SYNC,
                                       O_DSYNC,  O_DIRECT,    O_NOATIME,  O_APPEND, O_NOFOLLOW};
  int64_t flags = static_cast<int64_t>(OneIn(4) ? Below(3) : OneIn(4) ? O_RDONLY : O_RDWR);
  if (OneIn(2)) flags |= O_CREAT;
  if (OneIn(8)) flags |= O_EXCL;
  if (OneIn(8)) flags |= O_TRUNC;
  if (OneIn(4)) flags |= Pick(kExtra);
  if (OneIn(12)) flags |= Pick(kExtra);
  // Without O_CREAT its meaning is not defined.
  if ((flags & O_CREAT) == 0) flags &= ~static_cast<int64_t>(O_EXCL);
  op->text[0] = (flags & O_CREAT) != 0 && OneIn(2) ? NewPath() : File();
  // Into any slot: what is open there is closed, which is a step worth comparing too.
  op->number = {static_cast<int64_t>(Below(kSlots)), flags, (flags & O_CREAT) != 0 ? Mode() : 0};
}

void Generator::FillTmpFile(Op* op) {
  op->text[0] = OneIn(5) ? Path() : Directory();
  op->number = {static_cast<int64_t>(Below(kSlots)),
                O_TMPFILE | (OneIn(8) ? O_RDONLY : O_RDWR) | (OneIn(6) ? O_EXCL : 0), Mode()};
}

void Generator::FillDescriptor(Op* op) {
  static constexpr int64_t kStatus[] = {0, O_APPEND, O_APPEND, O_DIRECT, 0};
  size_t at = 0;
  int decimals = 0;
  for (const char kind : Info(op->verb).arguments) {
    if (kind == 'p') continue;
    int64_t& number = op->number[at++];
    if (kind == 'f') number = Slot();
    if (kind == 'o') number = Mode();
    if (kind == 'O') number = Pick(kStatus);
    if (kind == 'd') number = decimals++ == 0 ? Length() : Offset();
  }
  switch (op->verb) {
    case Verb::kDup:
      op->number[1] = static_cast<int64_t>(Below(kSlots));
      break;
    case Verb::kWrite:
    case Verb::kAppendWrite:
      op->number[2] = static_cast<int64_t>(Below(1000));
      break;
    case Verb::kPositionalWrite:
      op->number[3] = static_cast<int64_t>(Below(1000));
      break;
    case Verb::kVectorRead:
      op->number[2] = Length();
      break;
    case Verb::kVectorWrite:
      op->number[2] = Length();
      op->number[3] = static_cast<int64_t>(Below(1000));
      break;
    case Verb::kTruncateDescriptor:
      op->number[1] = Offset();
      break;
    case Verb::kMapWrite:
      op->number[1] = std::max<int64_t>(0, Offset());
      op->number[2] = Length();
      op->number[3] = static_cast<int64_t>(Below(1000));
      break;
    case Verb::kCopyRange:
      op->number[2] = Offset();
      op->number[4] = Length();
      break;
    case Verb::kSendFile:
      op->number[2] = Offset();
      op->number[3] = Length();
      break;
    default:
      break;
  }
}

void Generator::FillSeek(Op* op) {
  static constexpr int64_t kWhences[] = {SEEK_SET, SEEK_SET,  SEEK_CUR,
                                         SEEK_END, SEEK_DATA, SEEK_HOLE};
  op->number = {Slot(), Offset(), Pick(kWhences)};
  if (op->number[2] == SEEK_END && OneIn(2)) op->number[1] = -op->number[1];
}

void Generator::FillAllocate(Op* op) {
  static constexpr int64_t kModes[] = {0,
                                       FALLOC_FL_KEEP_SIZE,
                                       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                       FALLOC_FL_ZERO_RANGE,
                                       FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                       FALLOC_FL_PUNCH_HOLE};
  // ext4 really sets aside what it is asked for.
  op->number = {Slot(), Pick(kModes), std::min<int64_t>(Offset(), 1 << 20), Length()};
}

}  // namespace tarn::differential
