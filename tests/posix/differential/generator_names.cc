// Arguments of the verbs about names, attributes, extended attributes and locks.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/posix/differential/generator.h"

namespace tarn::differential {

void Generator::FillPath(Op* op) {
  switch (op->verb) {
    case Verb::kUmask:
      op->number[0] = OneIn(2) ? 022 : static_cast<int64_t>(Below(01000));
      return;
    case Verb::kRemoveTree:
      op->text[0] = Directory() + Name();
      break;
    case Verb::kReadDir:
    case Verb::kListXattr:
      op->text[0] = OneIn(2) ? Directory() : Path();
      break;
    case Verb::kUnlink:
    case Verb::kTruncate:
      op->text[0] = File();
      break;
    default:
      op->text[0] = OneIn(12) ? Directory() : Path();
  }
  // The whole tree is not for the taking.
  if (op->verb == Verb::kRemoveTree && op->text[0].find('/') == std::string::npos)
    op->text[0] += "/a";
  if (op->verb == Verb::kChangeMode) op->number[0] = Mode();
  if (op->verb == Verb::kTruncate) op->number[0] = Offset();
}

void Generator::FillNewPath(Op* op) {
  op->text[0] = OneIn(4) ? Path() : NewPath();
  op->number[0] = op->verb == Verb::kLinkDescriptor ? Slot() : Mode();
}

void Generator::FillTwoPaths(Op* op) {
  op->text[0] = op->verb == Verb::kLink ? File() : Path();
  op->text[1] = OneIn(op->verb == Verb::kLink ? 8 : 2) ? Path() : NewPath();
  if (op->verb == Verb::kLink) {
    op->number[0] = OneIn(3) ? AT_SYMLINK_FOLLOW : 0;
  } else if (OneIn(3)) {
    static constexpr int64_t kFlags[] = {RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE,
                                         RENAME_NOREPLACE | RENAME_EXCHANGE};
    op->number[0] = Pick(kFlags);
  }
}

void Generator::FillSymLink(Op* op) {
  switch (Below(8)) {
    case 0:
      op->text[0] = std::string(4095, 't');
      break;
    case 1:
      op->text[0] = std::string(300, '/') + "d0/a";
      break;
    case 2:
      op->text[0] = "../" + Path();
      break;
    case 3:
      op->text[0] = OneIn(8) ? std::string(4096, 't') : ".";
      break;
    case 4:
      op->text[0] = "/" + Path();
      break;
    default:
      op->text[0] = Name();
  }
  op->text[1] = NewPath();
}

void Generator::FillMakeNode(Op* op) {
  static constexpr int64_t kTypes[] = {S_IFIFO, S_IFIFO, S_IFSOCK, S_IFCHR,
                                       S_IFBLK, S_IFREG, S_IFDIR};
  op->text[0] = NewPath();
  op->number = {Pick(kTypes), Mode(), 0};
  if (op->number[0] == S_IFCHR || op->number[0] == S_IFBLK) {
    op->number[2] = static_cast<int64_t>(OneIn(2) ? makedev(250, 7) : makedev(4095, 1048575));
  }
}

void Generator::FillOwner(Op* op) {
  static constexpr int64_t kUids[] = {-1, 0, 1000, 1001, 65534};
  static constexpr int64_t kGids[] = {-1, 0, 1000, 2000, 3000, 65534};
  const int64_t uid = Pick(kUids);
  int64_t gid = Pick(kGids);
  if (uid == -1 && gid == -1) gid = 1000;  // see known_differences.h
  if (op->verb == Verb::kChangeOwnerDescriptor) {
    op->number = {Slot(), uid, gid};
    return;
  }
  op->text[0] = Path();
  op->number = {uid, gid};
}

void Generator::FillTimes(Op* op) {
  if (op->verb == Verb::kSetTimesDescriptor) {
    op->number = {Slot(), Time(), Time()};
    return;
  }
  op->text[0] = Path();
  op->number = {Time(), Time(), OneIn(3) ? AT_SYMLINK_NOFOLLOW : 0};
}

void Generator::FillAccess(Op* op) {
  static constexpr int64_t kFlags[] = {0, AT_EACCESS, AT_EACCESS | AT_SYMLINK_NOFOLLOW, 0};
  op->text[0] = Path();
  op->number = {static_cast<int64_t>(Below(8)), Pick(kFlags)};
}

void Generator::FillXattr(Op* op) {
  static constexpr int64_t kFlags[] = {0, 0, 0, XATTR_CREATE, XATTR_REPLACE};
  std::string name, value;
  Xattr(&name, &value);
  if (op->verb == Verb::kSetXattrDescriptor) {
    op->number = {Slot(), Pick(kFlags)};
    op->text = {name, value, ""};
    return;
  }
  op->text = {OneIn(4) ? Directory() : Path(), name, ""};
  if (op->verb == Verb::kGetXattr || op->verb == Verb::kRemoveXattr) return;
  op->text[2] = value;
  op->number[0] = Pick(kFlags);
}

void Generator::FillLock(Op* op) {
  static constexpr int64_t kTypes[] = {F_RDLCK, F_WRLCK, F_WRLCK, F_UNLCK};
  static constexpr int64_t kOperations[] = {LOCK_SH, LOCK_EX, LOCK_EX, LOCK_UN};
  static constexpr int64_t kWhences[] = {SEEK_SET, SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END};
  if (op->verb == Verb::kFlock) {
    op->number = {Slot(), Pick(kOperations)};
    return;
  }
  const int64_t start = static_cast<int64_t>(Below(12)) - static_cast<int64_t>(OneIn(30));
  const int64_t length = OneIn(4) ? 0 : static_cast<int64_t>(Below(8)) - (OneIn(12) ? 4 : 0);
  const bool get = op->verb == Verb::kGetLock || op->verb == Verb::kGetOfdLock;
  const int64_t type = get && !OneIn(10) ? F_WRLCK : Pick(kTypes);
  op->number = {Slot(), type, start, length, Pick(kWhences)};
}

}  // namespace tarn::differential
