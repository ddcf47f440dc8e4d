#include "server/store/registry.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "common/sync.h"
#include "common/limits.h"
#include "server/store/keys.h"
#include "server/store/migrate.h"
#include "server/store/records.h"
#include "server/store/super.h"

namespace tarn::store {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFileSystemNameMaxBytes = 128;

// The same with what it is about in front.
Error About(const std::string& what, const Error& error) {
  return {error.code, what + ": " + error.message};
}

bool IsName(const std::string& name) {
  auto allowed = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kFileSystemNameMaxBytes && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), allowed);
}

// Ids and entries of a state directory's file systems.
Result<std::vector<std::pair<std::string, FileSystemEntry>>> ReadRegister(Kv& control) {
  std::vector<std::pair<std::string, FileSystemEntry>> entries;
  const std::string prefix(kFileSystemPrefix);
  auto it = control.Iterate(Family::kSuper, prefix, PrefixEnd(prefix), Tier::kMayBlock);
  for (it->Seek(prefix); it->Valid(); it->Next()) {
    ASSIGN_OR_RETURN(FileSystemEntry entry, DecodeFileSystem(it->key(), it->value()));
    entries.emplace_back(it->key().substr(prefix.size()), std::move(entry));
  }
  RETURN_IF_ERROR(it->status());
  return entries;
}

std::string DirectoryOf(const std::string& dir, const std::string& id) { return dir + "/fs/" + id; }

class RegistryImpl : public Registry {
 public:
  RegistryImpl(std::string dir, std::shared_ptr<RocksMemory> memory, std::unique_ptr<Kv> control,
               Clock& clock)
      : dir_(std::move(dir)), memory_(std::move(memory)), control_(std::move(control)),
        clock_(clock) {}

  // Reads the register, and completes what a crash left half made.
  Status Load();

  Result<FileSystemInfo> Create(const std::string& name) override;
  Result<FileSystemInfo> Find(const std::string& id_or_name) override;
  std::vector<FileSystemInfo> List() override;
  Result<std::unique_ptr<Store>> OpenStore(const std::string& id_or_name) override;

 private:
  Result<std::unique_ptr<Store>> OpenAt(const std::string& id, const std::string& name,
                                        bool create);
  Status CheckOrSetFormat();
  Status Record(const std::string& id, const FileSystemEntry& entry);
  Status Complete(const std::string& id, FileSystemEntry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string dir_;
  const std::shared_ptr<RocksMemory> memory_;
  const std::unique_ptr<Kv> control_;
  Clock& clock_;

  Mutex mu_;
  std::map<std::string, FileSystemInfo> by_name_ ABSL_GUARDED_BY(mu_);
};

Status RegistryImpl::CheckOrSetFormat() {
  RETURN_IF_ERROR(Upgrade(*control_));  // all its values are in super, which do not change
  const auto format = control_->Get(Family::kSuper, kFormatKey, Tier::kMayBlock);
  if (!format.ok()) return format.error();
  if (format->has_value()) return CheckFormat((*format)->view);
  Batch batch;
  batch.Put(Family::kSuper, std::string(kFormatKey), Bytes::FromString(Be32(kFormatVersion)));
  return control_->Write(batch, Tier::kMayBlock);
}

Status RegistryImpl::Load() {
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckOrSetFormat());
  ASSIGN_OR_RETURN(auto entries, ReadRegister(*control_));
  for (auto& [id, entry] : entries) {
    if (entry.available) by_name_[entry.name] = {id, entry.name, entry.created};
  }
  for (auto& [id, entry] : entries) {
    if (!entry.available) RETURN_IF_ERROR(Complete(id, std::move(entry)));
  }
  return Ok();
}

Status RegistryImpl::Record(const std::string& id, const FileSystemEntry& entry) {
  Batch batch;
  batch.Put(Family::kSuper, std::string(kFileSystemPrefix) + id,
            Bytes::FromString(EncodeFileSystem(entry)));
  RETURN_IF_ERROR(control_->Write(batch, Tier::kMayBlock));
  return control_->SyncWal();
}

// Makes the database of a recorded file system (or finds it made), then records that it is there.
Status RegistryImpl::Complete(const std::string& id, FileSystemEntry entry) {
  RETURN_IF_ERROR(OpenAt(id, entry.name, /*create=*/true));
  entry.available = true;
  RETURN_IF_ERROR(Record(id, entry));
  by_name_[entry.name] = {id, entry.name, entry.created};
  return Ok();
}

Result<FileSystemInfo> RegistryImpl::Create(const std::string& name) {
  if (!IsName(name)) {
    return Error(Errno::kEINVAL,
                 fmt::format("'{}' is no name for a file system: letters, digits, '.', '_' and "
                             "'-', at most {}, not beginning with '.'",
                             name, kFileSystemNameMaxBytes));
  }
  MutexLock lock(&mu_);
  if (by_name_.contains(name)) {
    return Error(Errno::kEEXIST, fmt::format("there is a file system named '{}' already", name));
  }
  const std::string id = NewFileSystemId();
  const FileSystemEntry entry{name, clock_.Now(), false};
  RETURN_IF_ERROR(Record(id, entry));
  RETURN_IF_ERROR(Complete(id, entry));
  return by_name_[name];
}

Result<FileSystemInfo> RegistryImpl::Find(const std::string& id_or_name) {
  MutexLock lock(&mu_);
  for (const auto& [name, info] : by_name_) {
    if (info.id == id_or_name || name == id_or_name) return info;
  }
  return Error(Errno::kENOENT, fmt::format("there is no file system '{}'", id_or_name));
}

std::vector<FileSystemInfo> RegistryImpl::List() {
  MutexLock lock(&mu_);
  std::vector<FileSystemInfo> out;
  for (const auto& [name, info] : by_name_) out.push_back(info);
  return out;
}

Result<std::unique_ptr<Store>> RegistryImpl::OpenStore(const std::string& id_or_name) {
  ASSIGN_OR_RETURN(const FileSystemInfo info, Find(id_or_name));
  return OpenAt(info.id, info.name, /*create=*/false);
}

Result<std::unique_ptr<Store>> RegistryImpl::OpenAt(const std::string& id, const std::string& name,
                                                    bool create) {
  const std::string path = DirectoryOf(dir_, id);
  ASSIGN_OR_RETURN(std::unique_ptr<Kv> kv, OpenRocksKv(path, create, memory_));
  auto store = Store::Open(std::move(kv), clock_, create, name, id);
  if (!store.ok()) return About("file system in " + path, store.error());
  return store;
}

// Makes the directories above the databases, and refuses a place that is not ours to fill.
Status PrepareDirectory(const std::string& dir) {
  std::error_code error;
  const fs::file_status status = fs::status(dir, error);
  if (fs::exists(status) && !fs::is_directory(status)) {
    return Error(Errno::kENOTDIR, fmt::format("the state directory {} is not a directory", dir));
  }
  // Otherwise a mistyped --state would scatter files over somebody's home.
  if (fs::is_directory(status) && !fs::exists(dir + "/control", error)) {
    const auto begin = fs::directory_iterator(dir, error);
    const bool foreign = !error && std::any_of(begin, fs::directory_iterator(), [](const auto& e) {
      return e.path().filename() != "fs" && e.path().filename() != "lost+found";
    });
    if (foreign) {
      return Error(Errno::kEINVAL, fmt::format("{} is no state directory of tarnd, and is not "
                                               "empty: name an empty or a new one", dir));
    }
  }
  if (!error || error == std::errc::no_such_file_or_directory) {
    fs::create_directories(dir + "/fs", error);
  }
  if (error) {
    return Error(FromSystem(error.value()), fmt::format("cannot make the state directory {}: {}",
                                                        dir, error.message()));
  }
  if (access(dir.c_str(), R_OK | W_OK | X_OK) != 0) {
    return Error(FromSystem(errno),
                 fmt::format("the state directory {} is not writable: run tarnd as its owner, or "
                             "change its owner", dir));
  }
  return Ok();
}

}  // namespace

Result<std::unique_ptr<Registry>> OpenRegistry(const std::string& dir,
                                               const RocksKvOptions& options, Clock& clock) {
  RETURN_IF_ERROR(PrepareDirectory(dir));
  std::shared_ptr<RocksMemory> memory = MakeRocksMemory(options);
  auto control = OpenRocksKv(dir + "/control", /*create=*/true, memory);
  if (!control.ok()) return About("state directory " + dir, control.error());
  auto registry = std::make_unique<RegistryImpl>(dir, std::move(memory),
                                                 std::move(control).value(), clock);
  if (Status loaded = registry->Load(); !loaded.ok()) {
    return About("state directory " + dir, loaded.error());
  }
  if (registry->List().empty()) RETURN_IF_ERROR(registry->Create(kDefaultFileSystem));
  return std::unique_ptr<Registry>(std::move(registry));
}

Result<std::vector<CheckedFileSystem>> CheckStateDirectory(const std::string& dir,
                                                           const std::string& only,
                                                           const RocksKvOptions& options,
                                                           const FsckOptions& fsck) {
  std::shared_ptr<RocksMemory> memory = MakeRocksMemory(options);
  auto control = OpenRocksKvReadOnly(dir + "/control", memory);
  if (!control.ok()) return About("state directory " + dir, control.error());
  ASSIGN_OR_RETURN(const auto format,
                   (*control)->Get(Family::kSuper, kFormatKey, Tier::kMayBlock));
  if (format) RETURN_IF_ERROR(CheckFormat(format->view));
  ASSIGN_OR_RETURN(const auto entries, ReadRegister(**control));
  std::vector<CheckedFileSystem> checked;
  for (const auto& [id, entry] : entries) {
    const FileSystemInfo info{id, entry.name, entry.created};
    if (!entry.available || (!only.empty() && only != info.name && only != info.id)) continue;
    auto kv = OpenRocksKvReadOnly(DirectoryOf(dir, id), memory);
    checked.push_back({info, kv.ok() ? Fsck(std::move(kv).value(), fsck) : kv.error()});
  }
  if (checked.empty() && !only.empty()) {
    return Error(Errno::kENOENT, fmt::format("there is no file system '{}' in {}", only, dir));
  }
  return checked;
}

}  // namespace tarn::store
