#include "tests/cluster/history/specs.h"

#include <cerrno>
#include <cstring>
#include <map>

namespace tarn::testing {
namespace {

using Entry = DirectorySpec::Entry;

uint32_t LinksOf(const DirectorySpec::State& state, uint64_t ino) {
  return static_cast<uint32_t>(
      std::count_if(state.begin(), state.end(), [&](const Entry& e) { return e.ino == ino; }));
}

}  // namespace

bool RegisterSpec::Apply(const Op& op, State& state) {
  if (!op.is_write) return state == op.value;
  state = op.value;
  return true;
}

std::string RegisterSpec::Describe(const Op& op) {
  return (op.is_write ? "set " : "saw ") + std::to_string(op.value);
}

bool DirectorySpec::Apply(const Op& op, State& state) {
  Entry& entry = state[op.name];
  Entry& target = state[op.to];
  const uint32_t links = LinksOf(state, op.ino);
  switch (op.kind) {
    case Kind::kCreate:
      if (op.error != (entry.ino == 0 ? 0 : EEXIST)) return false;
      if (op.error == 0) entry = {op.ino, op.mode};
      return true;
    case Kind::kUnlink:
      if (op.error != (entry.ino == 0 ? ENOENT : 0)) return false;
      entry = {};
      return true;
    case Kind::kRename:
      if (op.error == ENOENT) return entry.ino == 0;
      if (op.error == EEXIST) return target.ino != 0;
      if (op.error != 0 || entry.ino == 0 || target.ino != 0) return false;
      std::swap(entry, target);
      return true;
    case Kind::kLink:
      if (op.error == ENOENT) return links == 0;
      if (op.error == EEXIST) return entry.ino != 0;
      if (op.error != 0 || links == 0 || entry.ino != 0) return false;
      entry = *std::find_if(state.begin(), state.end(),
                            [&](const Entry& e) { return e.ino == op.ino; });
      return true;
    case Kind::kChmod:
      for (Entry& e : state) {
        if (e.ino == op.ino) e.mode = op.mode;
      }
      return op.error == 0;
    case Kind::kAttr:
      return op.error == 0 && op.links == links &&
             std::all_of(state.begin(), state.end(),
                         [&](const Entry& e) { return e.ino != op.ino || e.mode == op.mode; });
    case Kind::kLook:
      return op.ino == entry.ino;
  }
  return false;
}

std::string DirectorySpec::Describe(const Op& op) {
  static constexpr const char* kVerbs[] = {"create", "unlink", "rename", "link",
                                           "chmod",  "fstat",  "look at"};
  std::string text = kVerbs[static_cast<size_t>(op.kind)];
  if (op.kind != Kind::kChmod && op.kind != Kind::kAttr) text += " n" + std::to_string(op.name);
  if (op.kind == Kind::kRename) text += " n" + std::to_string(op.to);
  if (op.ino != 0) text += ", inode " + std::to_string(op.ino);
  if (op.kind == Kind::kLook && op.ino == 0) text += ": absent";
  if (op.kind == Kind::kChmod || op.kind == Kind::kAttr) {
    text += ", mode " + std::to_string(op.mode);
  }
  if (op.kind == Kind::kAttr) text += ", " + std::to_string(op.links) + " links";
  if (op.error != 0) text += std::string(": ") + strerrorname_np(op.error);
  return text;
}

namespace {

std::string CheckOrder(const std::vector<AppendOp>& appends, const std::vector<uint64_t>& log,
                       const std::map<uint64_t, size_t>& place) {
  if (log.size() != appends.size() || place.size() != log.size()) {
    return std::to_string(appends.size()) + " records were appended, " +
           std::to_string(log.size()) + " are there, " + std::to_string(place.size()) +
           " different ones";
  }
  std::vector<const AppendOp*> in_order(log.size(), nullptr);
  for (const AppendOp& append : appends) {
    const auto at = place.find(append.record);
    if (at == place.end()) return "record " + std::to_string(append.record) + " is lost";
    in_order[at->second] = &append;
  }
  int64_t latest_start = INT64_MIN;
  for (const AppendOp* append : in_order) {
    if (append == nullptr) return "a record is there that nobody appended";
    if (append->end < latest_start) {
      return "record " + std::to_string(append->record) + " stands behind one that came later";
    }
    latest_start = std::max(latest_start, append->start);
  }
  return "";
}

}  // namespace

std::string CheckLog(const std::vector<AppendOp>& appends, const std::vector<LogRead>& reads,
                     const std::vector<uint64_t>& log) {
  std::map<uint64_t, size_t> place;
  for (size_t i = 0; i < log.size(); ++i) place[log[i]] = i;
  if (std::string wrong = CheckOrder(appends, log, place); !wrong.empty()) return wrong;
  std::vector<const LogRead*> by_start;
  for (const LogRead& read : reads) by_start.push_back(&read);
  std::sort(by_start.begin(), by_start.end(),
            [](const LogRead* a, const LogRead* b) { return a->start < b->start; });
  for (size_t i = 0; i < by_start.size(); ++i) {
    const LogRead& read = *by_start[i];
    const size_t size = read.records.size();
    if (size > log.size() || !std::equal(read.records.begin(), read.records.end(), log.begin())) {
      return "a read showed what is no beginning of the log";
    }
    for (const AppendOp& append : appends) {
      const bool seen = place[append.record] < size;
      if (!seen && append.end < read.start) {
        return "a read missed record " + std::to_string(append.record) + ", appended before";
      }
      if (seen && append.start > read.end) {
        return "a read showed record " + std::to_string(append.record) + " before its append";
      }
    }
    for (size_t before = 0; before < i; ++before) {
      if (by_start[before]->end < read.start && by_start[before]->records.size() > size) {
        return "a read showed less than an earlier one";
      }
    }
  }
  return "";
}

std::string CheckExclusion(std::vector<Interval> held) {
  std::sort(held.begin(), held.end(),
            [](const Interval& a, const Interval& b) { return a.start < b.start; });
  for (size_t i = 1; i < held.size(); ++i) {
    if (held[i].start < held[i - 1].end) {
      return "lanes " + std::to_string(held[i - 1].lane) + " and " + std::to_string(held[i].lane) +
             " held it at the same time";
    }
  }
  return "";
}

}  // namespace tarn::testing
