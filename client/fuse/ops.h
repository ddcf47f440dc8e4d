// The handlers, by file; FuseBridge::Ops lists them all. Each is what libfuse's header says of the
// member of fuse_lowlevel_ops that has its name, and none waits.
#pragma once

#include "client/fuse/request.h"

namespace tarn::fuse::ops {

// ops_names.cc: what takes names.
void Lookup(fuse_req_t req, fuse_ino_t parent, const char* name) noexcept;
void MakeNode(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode,
              dev_t rdev) noexcept;
void MakeDir(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) noexcept;
void SymLink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) noexcept;
void Unlink(fuse_req_t req, fuse_ino_t parent, const char* name) noexcept;
void RemoveDir(fuse_req_t req, fuse_ino_t parent, const char* name) noexcept;
void Rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
            const char* new_name, unsigned flags) noexcept;
void Link(fuse_req_t req, fuse_ino_t node, fuse_ino_t new_parent, const char* new_name) noexcept;

// ops_inode.cc: inodes and the mount as a whole.
void Init(void* userdata, fuse_conn_info* conn) noexcept;
void Forget(fuse_req_t req, fuse_ino_t node, uint64_t lookups) noexcept;
void ForgetMulti(fuse_req_t req, size_t count, fuse_forget_data* forgets) noexcept;
void GetAttr(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept;
void StatX(fuse_req_t req, fuse_ino_t node, int flags, int mask, fuse_file_info* fi) noexcept;
void SetAttr(fuse_req_t req, fuse_ino_t node, struct stat* attr, int to_set,
             fuse_file_info* fi) noexcept;
void ReadLink(fuse_req_t req, fuse_ino_t node) noexcept;
void Access(fuse_req_t req, fuse_ino_t node, int mask) noexcept;
void StatFs(fuse_req_t req, fuse_ino_t node) noexcept;
void IoCtl(fuse_req_t req, fuse_ino_t node, unsigned cmd, void* arg, fuse_file_info* fi,
           unsigned flags, const void* in, size_t in_size, size_t out_size) noexcept;

// ops_xattr.cc
void GetXattr(fuse_req_t req, fuse_ino_t node, const char* name, size_t size) noexcept;
void SetXattr(fuse_req_t req, fuse_ino_t node, const char* name, const char* value, size_t size,
              int flags) noexcept;
void ListXattr(fuse_req_t req, fuse_ino_t node, size_t size) noexcept;
void RemoveXattr(fuse_req_t req, fuse_ino_t node, const char* name) noexcept;

// ops_open.cc: the life of a descriptor.
void Open(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept;
void Create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode,
            fuse_file_info* fi) noexcept;
void TmpFile(fuse_req_t req, fuse_ino_t parent, mode_t mode, fuse_file_info* fi) noexcept;
void Flush(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept;
void Release(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept;

// ops_io.cc: contents.
void Read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset, fuse_file_info* fi) noexcept;
void Write(fuse_req_t req, fuse_ino_t node, const char* data, size_t size, off_t offset,
           fuse_file_info* fi) noexcept;
void Fsync(fuse_req_t req, fuse_ino_t node, int data_only, fuse_file_info* fi) noexcept;
void Allocate(fuse_req_t req, fuse_ino_t node, int mode, off_t offset, off_t length,
              fuse_file_info* fi) noexcept;
void Seek(fuse_req_t req, fuse_ino_t node, off_t offset, int whence, fuse_file_info* fi) noexcept;
void CopyRange(fuse_req_t req, fuse_ino_t source, off_t source_offset, fuse_file_info* source_fi,
               fuse_ino_t target, off_t target_offset, fuse_file_info* target_fi, size_t length,
               int flags) noexcept;

// ops_dir.cc
void OpenDir(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept;
void ReadDir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
             fuse_file_info* fi) noexcept;
void ReadDirPlus(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                 fuse_file_info* fi) noexcept;
void ReleaseDir(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi) noexcept;

// ops_lock.cc
void GetLock(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi, struct flock* lock) noexcept;
void SetLock(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi, struct flock* lock,
             int wait) noexcept;
void Flock(fuse_req_t req, fuse_ino_t node, fuse_file_info* fi, int op) noexcept;

// ---- shared by the files above (reply.cc) ----

// False, and the request answered, if `name` is longer than a name may be. (The kernel lets 1,024
// bytes through.)
bool CheckName(Request& request, const char* name);
// Answers with an inode, found as `name` in `dir`, that the kernel thereby looks up once more.
void ReplyEntry(Request request, Ino dir, std::string_view name, const EntryReply& reply);
// Answers that the request's directory has no `name`, to be remembered where it may be.
void ReplyAbsent(Request& request, std::string_view name);
// `relies_on_size`: the kernel asks for its own sake, not for a stat(2).
void ReplyAttr(Request request, const Attr& attr, bool relies_on_size);
void ReplyStatx(Request request, const Attr& attr, bool relies_on_size);
// To a change of attributes: the kernel takes these whatever happened to the inode meanwhile.
void ReplySet(Request request, const Attr& attr);
// Counts the lookup of `reply` and says how the kernel is to be told of it. REQUIRES: the gate.
fuse_entry_param MakeEntry(FuseBridge& bridge, Ino dir, std::string_view name,
                           const EntryReply& reply);
// Tells the server that `open` is over; nobody waits for it. The request is already answered.
void ReleaseOpen(Request request, Handle inode, OpenId open, bool held_locks);

}  // namespace tarn::fuse::ops
