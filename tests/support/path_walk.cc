#include "tests/support/path_walk.h"

#include <deque>

#include "absl/strings/str_split.h"
#include "common/wait.h"

namespace tarn::testing {
namespace {

constexpr size_t kPathMaxBytes = 4095;
constexpr int kLinksMax = 40;

std::deque<std::string> Components(const std::string& path) {
  return absl::StrSplit(path, '/', absl::SkipEmpty());
}

// One resolution in progress.
class Walker {
 public:
  Walker(FileSystem& fs, const Caller& caller, Handle root)
      : fs_(fs), caller_(caller), root_(root) {}

  Result<Location> Run(const std::string& path, LastLink last) {
    if (path.empty()) return Errno::kENOENT;
    if (path.size() > kPathMaxBytes) return Errno::kENAMETOOLONG;
    dir_ = root_;
    rest_ = Components(path);
    while (rest_.size() > 1 || (rest_.size() == 1 && last == LastLink::kFollow)) {
      const bool is_last = rest_.size() == 1;
      auto entry = Wait<verbs::Lookup>(fs_, caller_, {dir_, rest_.front()});
      if (!entry.ok()) {
        if (is_last && entry.code() == Errno::kENOENT) return Location{dir_, rest_.front(), {}};
        return entry.error();
      }
      if (entry->attr.type == FileType::kSymlink) {
        RETURN_IF_ERROR(Expand(entry->handle));
      } else if (is_last) {
        return Location{dir_, rest_.front(), *entry};
      } else {
        dir_ = entry->handle;
        rest_.pop_front();
      }
    }
    if (!rest_.empty()) return Location{dir_, rest_.front(), {}};
    ASSIGN_OR_RETURN(const AttrReply reply, Wait<verbs::GetAttr>(fs_, caller_, {dir_}));
    return Location{dir_, ".", EntryReply{dir_, reply.attr}};
  }

 private:
  // Puts a link's target in the place of the component that names it.
  Status Expand(Handle link) {
    if (++links_ > kLinksMax) return Errno::kELOOP;
    ASSIGN_OR_RETURN(const ReadLinkReply reply, Wait<verbs::ReadLink>(fs_, caller_, {link}));
    if (reply.target.empty()) return Errno::kENOENT;
    if (reply.target.front() == '/') dir_ = root_;
    rest_.pop_front();
    const auto target = Components(reply.target);
    rest_.insert(rest_.begin(), target.begin(), target.end());
    return Ok();
  }

  FileSystem& fs_;
  const Caller& caller_;
  const Handle root_;
  Handle dir_;
  std::deque<std::string> rest_;
  int links_ = 0;
};

}  // namespace

Result<Location> Locate(FileSystem& fs, const Caller& caller, Handle root, const std::string& path,
                        LastLink last) {
  return Walker(fs, caller, root).Run(path, last);
}

Result<EntryReply> Walk(FileSystem& fs, const Caller& caller, Handle root, const std::string& path,
                        LastLink last) {
  ASSIGN_OR_RETURN(const Location at, Locate(fs, caller, root, path, last));
  if (at.entry) return *at.entry;
  if (last == LastLink::kFollow) return Errno::kENOENT;
  return Wait<verbs::Lookup>(fs, caller, {at.dir, at.name});
}

}  // namespace tarn::testing
