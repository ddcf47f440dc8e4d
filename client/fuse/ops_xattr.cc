#include <sys/xattr.h>

#include <string>
#include <string_view>

#include "client/fuse/convert.h"
#include "client/fuse/ops.h"
#include "common/limits.h"

namespace tarn::fuse::ops {
namespace {

constexpr std::string_view kCapabilityName = "security.capability";

// getxattr(2) and listxattr(2) with a size of 0 ask how much there is.
void ReplySized(Request request, std::string_view value, size_t size) {
  if (size == 0) {
    fuse_reply_xattr(request.Finish(), value.size());
  } else if (value.size() > size) {
    request.Fail(Errno::kERANGE);
  } else {
    fuse_reply_buf(request.Finish(), value.data(), value.size());
  }
}

bool CheckXattrName(Request& request, std::string_view name) {
  if (name.size() <= kXattrNameMaxBytes) return true;
  request.Fail(Errno::kERANGE);
  return false;
}

}  // namespace

void GetXattr(fuse_req_t req, fuse_ino_t node, const char* name, size_t size) noexcept {
  Request request(req, node, "getxattr");
  if (!CheckXattrName(request, name)) return;
  GetXattrArgs args{.inode = request.bridge().HandleOf(node), .name = name};
  Run<verbs::GetXattr>(std::move(request), std::move(args),
                       [size](Request r, const GetXattrReply& reply) {
                         ReplySized(std::move(r), reply.value, size);
                       });
}

void SetXattr(fuse_req_t req, fuse_ino_t node, const char* name, const char* value, size_t size,
              int flags) noexcept {
  Request request(req, node, "setxattr");
  if (!CheckXattrName(request, name)) return;
  std::optional<XattrMode> mode = XattrModeOf(flags);
  if (!mode) return request.Fail(Errno::kEINVAL);
  if (size > kXattrValueMaxBytes) return request.Fail(Errno::kE2BIG);
  // An access ACL is the mode too, with S_ISGID as chmod treats it.
  if (request->uid != 0 && std::string_view(name) == "system.posix_acl_access") {
    request.ReadGroups();
  }
  SetXattrArgs args{.inode = request.bridge().HandleOf(node),
                    .name = name,
                    .value = std::string(value, size),
                    .mode = *mode};
  Run<verbs::SetXattr>(std::move(request), std::move(args), [](Request r, Unit) { r.Ok(); });
}

void ListXattr(fuse_req_t req, fuse_ino_t node, size_t size) noexcept {
  Request request(req, node, "listxattr");
  ListXattrArgs args{.inode = request.bridge().HandleOf(node)};
  Run<verbs::ListXattr>(std::move(request), args, [size](Request r, const ListXattrReply& reply) {
    std::string list;
    for (const std::string& name : reply.names) list.append(name).push_back('\0');
    if (list.size() > kXattrListMaxBytes) return r.Fail(Errno::kE2BIG);
    ReplySized(std::move(r), list, size);
  });
}

void RemoveXattr(fuse_req_t req, fuse_ino_t node, const char* name) noexcept {
  Request request(req, node, "removexattr");
  if (!CheckXattrName(request, name)) return;
  // Only root may remove it, and the kernel lets nobody else ask. This is its own notice before
  // somebody truncates, allocates, copies to or gives away a file, which he need not own: the
  // request that follows says who may, and drops it.
  if (request->uid != 0 && std::string_view(name) == kCapabilityName) return request.Ok();
  RemoveXattrArgs args{.inode = request.bridge().HandleOf(node), .name = name};
  Run<verbs::RemoveXattr>(std::move(request), std::move(args), [](Request r, Unit) { r.Ok(); });
}

}  // namespace tarn::fuse::ops
