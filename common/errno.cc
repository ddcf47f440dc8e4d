#include "common/errno.h"

#include <array>
#include <cerrno>
#include <utility>

namespace tarn {
namespace {

constexpr std::array kTable = {
    std::pair{Errno::kOk, std::string_view("OK")},
#define TARN_ERRNO(name) std::pair{Errno::k##name, std::string_view(#name)}
    TARN_ERRNO(EPERM),     TARN_ERRNO(ENOENT),       TARN_ERRNO(EINTR),      TARN_ERRNO(EIO),
    TARN_ERRNO(ENXIO),     TARN_ERRNO(E2BIG),        TARN_ERRNO(EBADF),      TARN_ERRNO(EAGAIN),
    TARN_ERRNO(ENOMEM),    TARN_ERRNO(EACCES),       TARN_ERRNO(EBUSY),      TARN_ERRNO(EEXIST),
    TARN_ERRNO(EXDEV),     TARN_ERRNO(ENODEV),       TARN_ERRNO(ENOTDIR),    TARN_ERRNO(EISDIR),
    TARN_ERRNO(EINVAL),    TARN_ERRNO(ENFILE),       TARN_ERRNO(EMFILE),     TARN_ERRNO(ENOTTY),
    TARN_ERRNO(ETXTBSY),   TARN_ERRNO(EFBIG),        TARN_ERRNO(ENOSPC),     TARN_ERRNO(ESPIPE),
    TARN_ERRNO(EROFS),     TARN_ERRNO(EMLINK),       TARN_ERRNO(ERANGE),     TARN_ERRNO(EDEADLK),
    TARN_ERRNO(ENAMETOOLONG), TARN_ERRNO(ENOLCK),    TARN_ERRNO(ENOSYS),     TARN_ERRNO(ENOTEMPTY),
    TARN_ERRNO(ELOOP),     TARN_ERRNO(ENODATA),      TARN_ERRNO(EOVERFLOW),  TARN_ERRNO(EOPNOTSUPP),
    TARN_ERRNO(ETIMEDOUT), TARN_ERRNO(ESTALE),       TARN_ERRNO(EDQUOT),     TARN_ERRNO(ECANCELED),
#undef TARN_ERRNO
};

// The enumeration is Linux's generic numbering, so the border to the kernel is the identity.
static_assert(static_cast<int>(Errno::kENOTEMPTY) == ENOTEMPTY);
static_assert(static_cast<int>(Errno::kEDEADLK) == EDEADLK);
static_assert(static_cast<int>(Errno::kESTALE) == ESTALE);
static_assert(static_cast<int>(Errno::kEOPNOTSUPP) == EOPNOTSUPP);
static_assert(static_cast<int>(Errno::kENODATA) == ENODATA);

}  // namespace

int ToSystem(Errno e) { return static_cast<int>(e); }

Errno FromSystem(int system_errno) {
  return IsValidErrno(system_errno) ? static_cast<Errno>(system_errno) : Errno::kEIO;
}

bool IsValidErrno(int32_t value) {
  for (const auto& row : kTable) {
    if (static_cast<int32_t>(row.first) == value) return true;
  }
  return false;
}

std::string_view ErrnoName(Errno e) {
  for (const auto& row : kTable) {
    if (row.first == e) return row.second;
  }
  return e == Errno::kBlocked ? "BLOCKED" : "unknown errno";
}

}  // namespace tarn
