#include "tests/support/bad_disk.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

namespace tarn::testing {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

std::string Clean(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

class SilentLogger : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
  size_t GetLogFileSize() const override { return 0; }
};

class Lock : public rocksdb::FileLock {
 public:
  explicit Lock(std::string path) : path(std::move(path)) {}
  const std::string path;
};

// Reads what was there when it was asked; RocksDB reads no file that it still writes, but for its
// logs at a start.
class Reader : public rocksdb::FSSequentialFile, public rocksdb::FSRandomAccessFile {
 public:
  explicit Reader(std::shared_ptr<std::string> data) : data_(std::move(data)) {}
  IOStatus Read(size_t n, const IOOptions&, Slice* out, char* scratch, IODebugContext*) override {
    *out = Part(at_, n, scratch);
    at_ += out->size();
    return IOStatus::OK();
  }
  IOStatus Skip(uint64_t n) override {
    at_ = std::min<uint64_t>(data_->size(), at_ + n);
    return IOStatus::OK();
  }
  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* out, char* scratch,
                IODebugContext*) const override {
    *out = Part(offset, n, scratch);
    return IOStatus::OK();
  }
  IOStatus InvalidateCache(size_t, size_t) override { return IOStatus::OK(); }
  bool use_direct_io() const override { return false; }
  size_t GetRequiredBufferAlignment() const override { return 1; }
  rocksdb::Temperature GetTemperature() const override { return rocksdb::Temperature::kUnknown; }

 private:
  Slice Part(uint64_t offset, size_t n, char* scratch) const {
    if (offset >= data_->size()) return {scratch, 0};
    n = std::min<size_t>(n, data_->size() - offset);
    std::memcpy(scratch, data_->data() + offset, n);
    return {scratch, n};
  }
  const std::shared_ptr<std::string> data_;
  uint64_t at_ = 0;
};

}  // namespace

class BadFile : public rocksdb::FSWritableFile {
 public:
  BadFile(std::shared_ptr<BadDisk> disk, BadDisk::FilePtr file, std::string path)
      : disk_(std::move(disk)), file_(std::move(file)), path_(std::move(path)) {}
  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return disk_->Append(*file_, path_, data);
  }
  IOStatus Truncate(uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return disk_->Sync(*file_, path_); }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    MutexLock lock(&disk_->mu_);
    return file_->data->size();
  }

 private:
  const std::shared_ptr<BadDisk> disk_;
  const BadDisk::FilePtr file_;
  const std::string path_;
};

// What is overwritten counts as synced no more.
class BadRandomFile : public rocksdb::FSRandomRWFile {
 public:
  BadRandomFile(std::shared_ptr<BadDisk> disk, BadDisk::FilePtr file)
      : disk_(std::move(disk)), file_(std::move(file)) {}
  IOStatus Write(uint64_t offset, const Slice& data, const IOOptions&, IODebugContext*) override {
    return disk_->Overwrite(*file_, offset, data);
  }
  IOStatus Read(uint64_t, size_t, const IOOptions&, Slice*, char*, IODebugContext*) const override {
    return IOStatus::NotSupported("reading");
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  const std::shared_ptr<BadDisk> disk_;
  const BadDisk::FilePtr file_;
};

class BadDirectory : public rocksdb::FSDirectory {
 public:
  BadDirectory(std::shared_ptr<BadDisk> disk, std::string path)
      : disk_(std::move(disk)), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return disk_->SyncDirectory(path_);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  const std::shared_ptr<BadDisk> disk_;
  const std::string path_;
};

// ---- what tests do to it ----

void BadDisk::SetFault(Fault fault) {
  MutexLock lock(&mu_);
  fault_ = std::move(fault);
}

void BadDisk::SetWatch(Watch watch) {
  MutexLock lock(&mu_);
  watch_ = std::move(watch);
}

uint64_t BadDisk::UsedLocked() const {
  uint64_t used = 0;
  for (const auto& [path, file] : entries_) used += file->data->size();
  return used;
}

uint64_t BadDisk::Used() const {
  MutexLock lock(&mu_);
  return UsedLocked();
}

std::map<std::string, uint64_t> BadDisk::Files() const {
  MutexLock lock(&mu_);
  std::map<std::string, uint64_t> files;
  for (const auto& [path, file] : entries_) files[path] = file->data->size();
  return files;
}

std::shared_ptr<BadDisk> BadDisk::Copy() const {
  auto copy = Make();
  MutexLock lock(&mu_);
  MutexLock copy_lock(&copy->mu_);
  std::map<FilePtr, FilePtr> copies;
  auto copy_of = [&](const FilePtr& file) {
    if (file == nullptr) return FilePtr();
    FilePtr& made = copies[file];
    if (made == nullptr) {
      file->shared = true;
      made = std::make_shared<File>(*file);
    }
    return made;
  };
  for (const auto& [path, file] : entries_) copy->entries_[path] = copy_of(file);
  for (const auto& [path, file] : durable_) copy->durable_[path] = copy_of(file);
  for (const Change& change : changes_) {
    copy->changes_.push_back({change.path, copy_of(change.file)});
  }
  copy->directories_ = directories_;
  return copy;
}

void BadDisk::LosePower(unsigned seed) {
  MutexLock lock(&mu_);
  std::mt19937 random(seed);
  auto below = [&random](size_t n) { return std::uniform_int_distribution<size_t>(0, n)(random); };
  const size_t kept = seed == 0 ? 0 : below(changes_.size());
  for (size_t i = 0; i < kept; ++i) {
    if (changes_[i].file == nullptr) {
      durable_.erase(changes_[i].path);
    } else {
      durable_[changes_[i].path] = changes_[i].file;
    }
  }
  changes_.clear();
  entries_ = durable_;
  for (const auto& [path, file] : entries_) {
    const size_t size = file->data->size();
    const size_t left = seed == 0 ? file->synced : file->synced + below(size - file->synced);
    auto data = std::make_shared<std::string>(file->data->substr(0, left));
    // RocksDB does not open a database whose manifest has a hole, not even behind what was synced.
    const bool may_have_hole = path.find("/MANIFEST-") == std::string::npos;
    if (left > file->synced && below(2) == 0 && may_have_hole) {  // a page that did not get there
      const size_t from = file->synced + below(left - file->synced - 1);
      std::memset(data->data() + from, 0, std::min<size_t>(512, left - from));
    }
    *file = {std::move(data), left, false};
  }
}

bool BadDisk::FlipBit(const std::string& path, uint64_t bit) {
  MutexLock lock(&mu_);
  const auto it = entries_.find(path);
  if (it == entries_.end() || bit / 8 >= it->second->data->size()) return false;
  auto data = std::make_shared<std::string>(*it->second->data);
  (*data)[bit / 8] = static_cast<char>((*data)[bit / 8] ^ (1 << (bit % 8)));
  it->second->data = std::move(data);
  return true;
}

// ---- what RocksDB does with it ----

IOStatus BadDisk::Before(const std::string& what, const std::string& path) {
  Watch watch;
  Fault fault;
  {
    MutexLock lock(&mu_);
    watch = watch_;
    fault = fault_;
  }
  if (watch) watch();
  return fault ? fault(what, path) : IOStatus::OK();
}

BadDisk::FilePtr BadDisk::Find(const std::string& path) const {
  MutexLock lock(&mu_);
  const auto it = entries_.find(path);
  return it == entries_.end() ? nullptr : it->second;
}

void BadDisk::SetEntry(const std::string& path, FilePtr file) {
  if (file == nullptr) {
    entries_.erase(path);
  } else {
    entries_[path] = file;
  }
  changes_.push_back({path, std::move(file)});
}

IOStatus BadDisk::Append(File& file, const std::string& path, const Slice& data) {
  if (IOStatus status = Before("append", path); !status.ok()) return status;
  MutexLock lock(&mu_);
  if (UsedLocked() + data.size() > capacity_.load()) return IOStatus::NoSpace("disk full", path);
  if (std::exchange(file.shared, false)) file.data = std::make_shared<std::string>(*file.data);
  file.data->append(data.data(), data.size());
  return IOStatus::OK();
}

IOStatus BadDisk::Overwrite(File& file, uint64_t offset, const Slice& data) {
  MutexLock lock(&mu_);
  if (std::exchange(file.shared, false)) file.data = std::make_shared<std::string>(*file.data);
  file.data->resize(std::max<size_t>(file.data->size(), offset + data.size()));
  file.data->replace(offset, data.size(), data.data(), data.size());
  file.synced = std::min<size_t>(file.synced, offset);
  return IOStatus::OK();
}

IOStatus BadDisk::Sync(File& file, const std::string& path) {
  if (IOStatus status = Before("sync", path); !status.ok()) return status;
  MutexLock lock(&mu_);
  file.synced = file.data->size();
  return IOStatus::OK();
}

IOStatus BadDisk::SyncDirectory(const std::string& path) {
  if (IOStatus status = Before("sync directory", path); !status.ok()) return status;
  MutexLock lock(&mu_);
  std::vector<Change> others;
  for (Change& change : changes_) {
    if (DirectoryOf(change.path) != path) {
      others.push_back(std::move(change));
    } else if (change.file == nullptr) {
      durable_.erase(change.path);
    } else {
      durable_[change.path] = std::move(change.file);
    }
  }
  changes_ = std::move(others);
  return IOStatus::OK();
}

IOStatus BadDisk::NewSequentialFile(const std::string& path, const FileOptions&,
                                    std::unique_ptr<rocksdb::FSSequentialFile>* out,
                                    IODebugContext*) {
  const FilePtr file = Find(path);
  if (file == nullptr) return IOStatus::PathNotFound(path);
  MutexLock lock(&mu_);
  file->shared = true;
  *out = std::make_unique<Reader>(file->data);
  return IOStatus::OK();
}

IOStatus BadDisk::NewRandomAccessFile(const std::string& path, const FileOptions&,
                                      std::unique_ptr<rocksdb::FSRandomAccessFile>* out,
                                      IODebugContext*) {
  const FilePtr file = Find(path);
  if (file == nullptr) return IOStatus::PathNotFound(path);
  MutexLock lock(&mu_);
  file->shared = true;
  *out = std::make_unique<Reader>(file->data);
  return IOStatus::OK();
}

IOStatus BadDisk::NewWritableFile(const std::string& path, const FileOptions&,
                                  std::unique_ptr<rocksdb::FSWritableFile>* out, IODebugContext*) {
  if (IOStatus status = Before("create", path); !status.ok()) return status;
  auto file = std::make_shared<File>();
  {
    MutexLock lock(&mu_);
    SetEntry(path, file);
  }
  *out = std::make_unique<BadFile>(shared_from_this(), std::move(file), path);
  return IOStatus::OK();
}

IOStatus BadDisk::NewRandomRWFile(const std::string& path, const FileOptions&,
                                  std::unique_ptr<rocksdb::FSRandomRWFile>* out, IODebugContext*) {
  FilePtr file = Find(path);
  if (file == nullptr) return IOStatus::PathNotFound(path);
  *out = std::make_unique<BadRandomFile>(shared_from_this(), std::move(file));
  return IOStatus::OK();
}

IOStatus BadDisk::NewDirectory(const std::string& path, const IOOptions&,
                               std::unique_ptr<rocksdb::FSDirectory>* out, IODebugContext*) {
  *out = std::make_unique<BadDirectory>(shared_from_this(), Clean(path));
  return IOStatus::OK();
}

IOStatus BadDisk::FileExists(const std::string& path, const IOOptions&, IODebugContext*) {
  MutexLock lock(&mu_);
  const bool there = entries_.contains(path) || directories_.contains(Clean(path));
  return there ? IOStatus::OK() : IOStatus::NotFound(path);
}

IOStatus BadDisk::GetChildren(const std::string& dir, const IOOptions&,
                              std::vector<std::string>* out, IODebugContext*) {
  MutexLock lock(&mu_);
  if (!directories_.contains(Clean(dir))) return IOStatus::NotFound(dir);
  out->clear();
  for (const auto& [path, file] : entries_) {
    if (DirectoryOf(path) == Clean(dir)) out->push_back(path.substr(path.rfind('/') + 1));
  }
  return IOStatus::OK();
}

IOStatus BadDisk::DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) {
  if (IOStatus status = Before("delete", path); !status.ok()) return status;
  MutexLock lock(&mu_);
  if (!entries_.contains(path)) return IOStatus::PathNotFound(path);
  SetEntry(path, nullptr);
  return IOStatus::OK();
}

IOStatus BadDisk::CreateDir(const std::string& path, const IOOptions&, IODebugContext*) {
  MutexLock lock(&mu_);
  directories_.insert(Clean(path));
  return IOStatus::OK();
}

IOStatus BadDisk::CreateDirIfMissing(const std::string& path, const IOOptions& options,
                                     IODebugContext* debug) {
  return CreateDir(path, options, debug);
}

IOStatus BadDisk::DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) {
  MutexLock lock(&mu_);
  directories_.erase(Clean(path));
  return IOStatus::OK();
}

IOStatus BadDisk::GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                              IODebugContext*) {
  MutexLock lock(&mu_);
  const auto it = entries_.find(path);
  if (it == entries_.end()) return IOStatus::PathNotFound(path);
  *size = it->second->data->size();
  return IOStatus::OK();
}

IOStatus BadDisk::GetFileModificationTime(const std::string&, const IOOptions&, uint64_t* time,
                                          IODebugContext*) {
  *time = 0;
  return IOStatus::OK();
}

IOStatus BadDisk::RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                             IODebugContext*) {
  if (IOStatus status = Before("rename", to); !status.ok()) return status;
  MutexLock lock(&mu_);
  const auto it = entries_.find(from);
  if (it == entries_.end()) return IOStatus::PathNotFound(from);
  const FilePtr file = it->second;
  SetEntry(to, file);
  SetEntry(from, nullptr);
  return IOStatus::OK();
}

IOStatus BadDisk::LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock,
                           IODebugContext*) {
  MutexLock held(&mu_);
  if (!locks_.insert(path).second) return IOStatus::IOError("lock hold by current process", path);
  *lock = new Lock(path);
  return IOStatus::OK();
}

IOStatus BadDisk::UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) {
  const std::unique_ptr<Lock> owned(static_cast<Lock*>(lock));
  MutexLock held(&mu_);
  locks_.erase(owned->path);
  return IOStatus::OK();
}

IOStatus BadDisk::GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) {
  *path = "/";
  return IOStatus::OK();
}

IOStatus BadDisk::NewLogger(const std::string&, const IOOptions&,
                            std::shared_ptr<rocksdb::Logger>* out, IODebugContext*) {
  *out = std::make_shared<SilentLogger>();
  return IOStatus::OK();
}

IOStatus BadDisk::GetAbsolutePath(const std::string& path, const IOOptions&, std::string* out,
                                  IODebugContext*) {
  *out = path;
  return IOStatus::OK();
}

IOStatus BadDisk::GetFreeSpace(const std::string&, const IOOptions&, uint64_t* free,
                               IODebugContext*) {
  const uint64_t used = Used(), capacity = capacity_.load();
  *free = capacity > used ? capacity - used : 0;
  return IOStatus::OK();
}

IOStatus BadDisk::IsDirectory(const std::string& path, const IOOptions&, bool* is_dir,
                              IODebugContext*) {
  MutexLock lock(&mu_);
  *is_dir = directories_.contains(Clean(path));
  return IOStatus::OK();
}

}  // namespace tarn::testing
