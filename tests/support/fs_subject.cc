// FsProcess: names and attributes, and the subject itself.
#include "tests/support/fs_subject.h"

namespace tarn::testing {

std::unique_ptr<Process> FileSystemSubject::Start(const User& user) {
  Caller caller;
  caller.uid = user.uid;
  caller.gid = user.gid;
  caller.groups = user.groups;
  caller.pid = next_pid_++;
  caller.session = target_.session;
  FileSystem* fs = target_.all.empty() ? target_.fs : target_.all[caller.pid % target_.all.size()];
  return std::make_unique<FsProcess>(*fs, target_.root, std::move(caller), next_open_);
}

bool FileSystemSubject::Restart() {
  if (!restartable_) return false;
  target_ = Target{};  // the old one ends before the new one starts
  target_ = opener_();
  return true;
}

Status FsProcess::MakeDir(const std::string& path, uint32_t mode) {
  ASSIGN_OR_RETURN(const Location at, Where(path));
  return CallForStatus<verbs::MakeDir>(MakeDirArgs{at.dir, at.name, mode, umask_});
}

Status FsProcess::MakeNode(const std::string& path, FileType type, uint32_t mode, uint64_t rdev) {
  ASSIGN_OR_RETURN(const Location at, Where(path));
  return CallForStatus<verbs::MakeNode>(MakeNodeArgs{at.dir, at.name, type, mode, umask_, rdev});
}

Status FsProcess::SymLink(const std::string& target, const std::string& path) {
  if (target.empty()) return Errno::kENOENT;
  ASSIGN_OR_RETURN(const Location at, Where(path));
  return CallForStatus<verbs::SymLink>(SymLinkArgs{at.dir, at.name, target});
}

Status FsProcess::Link(const std::string& from, const std::string& to) {
  ASSIGN_OR_RETURN(const EntryReply source, Find(from, LastLink::kKeep));
  ASSIGN_OR_RETURN(const Location at, Where(to));
  return CallForStatus<verbs::Link>(LinkArgs{source.handle, at.dir, at.name});
}

Status FsProcess::Unlink(const std::string& path) {
  ASSIGN_OR_RETURN(const Location at, Where(path));
  return CallForStatus<verbs::Unlink>(UnlinkArgs{at.dir, at.name});
}

Status FsProcess::RemoveDir(const std::string& path) {
  ASSIGN_OR_RETURN(const Location at, Where(path));
  return CallForStatus<verbs::RemoveDir>(RemoveDirArgs{at.dir, at.name});
}

Status FsProcess::Rename(const std::string& from, const std::string& to, RenameMode mode) {
  // The kernel has walked into both directories before it asks for either name.
  ASSIGN_OR_RETURN(const Location old_at, Where(from));
  RETURN_IF_ERROR(Call<verbs::Lookup>({old_at.dir, ".."}));
  ASSIGN_OR_RETURN(const Location new_at, Where(to));
  RETURN_IF_ERROR(Call<verbs::Lookup>({new_at.dir, ".."}));
  return CallForStatus<verbs::Rename>(
      RenameArgs{old_at.dir, old_at.name, new_at.dir, new_at.name, mode});
}

Result<Attr> FsProcess::Stat(const std::string& path) {
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kFollow));
  return entry.attr;
}

Result<Attr> FsProcess::LStat(const std::string& path) {
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kKeep));
  // The entry's own attributes and the inode's must agree: ask for both.
  ASSIGN_OR_RETURN(const AttrReply reply, Call<verbs::GetAttr>({entry.handle}));
  return reply.attr;
}

Result<std::string> FsProcess::ReadLink(const std::string& path) {
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kKeep));
  ASSIGN_OR_RETURN(ReadLinkReply reply, Call<verbs::ReadLink>({entry.handle}));
  return std::move(reply.target);
}

Status FsProcess::Chmod(const std::string& path, uint32_t mode) {
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kFollow));
  SetAttrArgs args{.inode = entry.handle};
  args.mode = mode;
  return CallForStatus<verbs::SetAttr>(std::move(args));
}

Status FsProcess::LChown(const std::string& path, std::optional<Uid> uid, std::optional<Gid> gid) {
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kKeep));
  SetAttrArgs args{.inode = entry.handle};
  args.uid = uid;
  args.gid = gid;
  // The kernel asks for this with every chown of what is not a directory, root's too.
  args.kill_privileges = entry.attr.type != FileType::kDirectory;
  return CallForStatus<verbs::SetAttr>(std::move(args));
}

Status FsProcess::SetTimes(const std::string& path, TimeChange atime, TimeChange mtime) {
  using Kind = TimeChange::Kind;
  // Linux does not even look at the path then.
  if (atime.kind == Kind::kOmit && mtime.kind == Kind::kOmit) return Ok();
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kFollow));
  SetAttrArgs args{.inode = entry.handle};
  args.atime_now = atime.kind == Kind::kNow;
  args.mtime_now = mtime.kind == Kind::kNow;
  if (atime.kind == Kind::kSet) args.atime = atime.value;
  if (mtime.kind == Kind::kSet) args.mtime = mtime.value;
  return CallForStatus<verbs::SetAttr>(std::move(args));
}

Status FsProcess::Truncate(const std::string& path, int64_t size) {
  if (size < 0) return Errno::kEINVAL;
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kFollow));
  SetAttrArgs args{.inode = entry.handle};
  args.size = static_cast<uint64_t>(size);
  args.kill_privileges = !IsRoot();
  return CallForStatus<verbs::SetAttr>(std::move(args));
}

Status FsProcess::Access(const std::string& path, uint32_t mask) {
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kFollow));
  return CallForStatus<verbs::Access>(AccessArgs{entry.handle, mask});
}

Result<StatFsReply> FsProcess::StatFs() {
  return Call<verbs::StatFs>({root_});
}

Result<std::string> FsProcess::GetXattr(const std::string& path, const std::string& name) {
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kKeep));
  ASSIGN_OR_RETURN(GetXattrReply reply, Call<verbs::GetXattr>({entry.handle, name}));
  return std::move(reply.value);
}

Status FsProcess::SetXattr(const std::string& path, const std::string& name,
                           const std::string& value, XattrMode mode) {
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kKeep));
  return CallForStatus<verbs::SetXattr>(SetXattrArgs{entry.handle, name, value, mode});
}

Result<std::vector<std::string>> FsProcess::ListXattr(const std::string& path) {
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kKeep));
  ASSIGN_OR_RETURN(ListXattrReply reply, Call<verbs::ListXattr>({entry.handle}));
  return std::move(reply.names);
}

Status FsProcess::RemoveXattr(const std::string& path, const std::string& name) {
  ASSIGN_OR_RETURN(const EntryReply entry, Find(path, LastLink::kKeep));
  return CallForStatus<verbs::RemoveXattr>(RemoveXattrArgs{entry.handle, name});
}

}  // namespace tarn::testing
