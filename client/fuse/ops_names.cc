#include <string>

#include "client/fuse/convert.h"
#include "client/fuse/ops.h"

namespace tarn::fuse::ops {
namespace {

auto AnswerEntry(std::string name) {
  return [name = std::move(name)](Request request, const EntryReply& reply) {
    const Ino dir = request.bridge().inodes().InoOf(NodeId{request->node});
    ReplyEntry(std::move(request), dir, name, reply);
  };
}
void AnswerOk(Request request, Unit) {
  request.Ok();
}

// S_ISGID of a new inode stays only if its group is one of the caller's.
void ReadGroupsIfSetGid(Request& request, mode_t mode) {
  if ((mode & S_ISGID) != 0 && request->uid != 0) request.ReadGroups();
}

}  // namespace

void Lookup(fuse_req_t req, fuse_ino_t parent, const char* name) noexcept {
  Request request(req, parent, "lookup");
  if (!CheckName(request, name)) return;
  // Nothing of the mount lies above its root, whatever the server's tree has there.
  bool above = parent == FUSE_ROOT_ID && std::string_view(name) == "..";
  LookupArgs args{.dir = request.bridge().HandleOf(parent), .name = above ? "." : name};
  if (request.bridge().caches()) request->looked_up = name;
  Run<verbs::Lookup>(std::move(request), std::move(args), AnswerEntry(name));
}

void MakeNode(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode,
              dev_t rdev) noexcept {
  Request request(req, parent, "mknod");
  if (!CheckName(request, name)) return;
  std::optional<FileType> type = TypeOfMode((mode & S_IFMT) == 0 ? mode | S_IFREG : mode);
  if (!type) return request.Fail(Errno::kEINVAL);
  ReadGroupsIfSetGid(request, mode);
  MakeNodeArgs args{.dir = request.bridge().HandleOf(parent),
                    .name = name,
                    .type = *type,
                    .mode = mode & 07777,
                    .umask = fuse_req_ctx(req)->umask,
                    .rdev = rdev};
  Run<verbs::MakeNode>(std::move(request), std::move(args), AnswerEntry(name));
}

void MakeDir(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) noexcept {
  Request request(req, parent, "mkdir");
  if (!CheckName(request, name)) return;
  ReadGroupsIfSetGid(request, mode);
  MakeDirArgs args{.dir = request.bridge().HandleOf(parent),
                   .name = name,
                   .mode = mode & 07777,
                   .umask = fuse_req_ctx(req)->umask};
  Run<verbs::MakeDir>(std::move(request), std::move(args), AnswerEntry(name));
}

void SymLink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) noexcept {
  Request request(req, parent, "symlink");
  if (!CheckName(request, name)) return;
  SymLinkArgs args{.dir = request.bridge().HandleOf(parent), .name = name, .target = target};
  Run<verbs::SymLink>(std::move(request), std::move(args), AnswerEntry(name));
}

void Unlink(fuse_req_t req, fuse_ino_t parent, const char* name) noexcept {
  Request request(req, parent, "unlink");
  if (!CheckName(request, name)) return;
  UnlinkArgs args{.dir = request.bridge().HandleOf(parent), .name = name};
  Run<verbs::Unlink>(std::move(request), std::move(args), AnswerOk);
}

void RemoveDir(fuse_req_t req, fuse_ino_t parent, const char* name) noexcept {
  Request request(req, parent, "rmdir");
  if (!CheckName(request, name)) return;
  RemoveDirArgs args{.dir = request.bridge().HandleOf(parent), .name = name};
  Run<verbs::RemoveDir>(std::move(request), std::move(args), AnswerOk);
}

void Rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
            const char* new_name, unsigned flags) noexcept {
  Request request(req, parent, "rename");
  if (!CheckName(request, name) || !CheckName(request, new_name)) return;
  std::optional<RenameMode> mode = RenameModeOf(flags);
  if (!mode) return request.Fail(Errno::kEINVAL);
  RenameArgs args{.dir = request.bridge().HandleOf(parent),
                  .name = name,
                  .new_dir = request.bridge().HandleOf(new_parent),
                  .new_name = new_name,
                  .mode = *mode};
  Run<verbs::Rename>(std::move(request), std::move(args), AnswerOk);
}

void Link(fuse_req_t req, fuse_ino_t node, fuse_ino_t new_parent, const char* new_name) noexcept {
  Request request(req, node, "link");
  if (!CheckName(request, new_name)) return;
  LinkArgs args{.inode = request.bridge().HandleOf(node),
                .new_dir = request.bridge().HandleOf(new_parent),
                .new_name = new_name};
  Ino dir = args.new_dir.ino;
  Run<verbs::Link>(std::move(request), std::move(args),
                   [dir, name = std::string(new_name)](Request r, const EntryReply& reply) {
                     ReplyEntry(std::move(r), dir, name, reply);
                   });
}

}  // namespace tarn::fuse::ops
