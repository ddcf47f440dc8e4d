#include "tests/posix/differential/comparator.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>

#include "tests/posix/differential/flags.h"
#include "tests/posix/differential/known_differences.h"

namespace tarn::differential {
namespace {

constexpr int64_t kDayNanos = int64_t{86'400} * 1'000'000'000;

// The part of a long value around `at`.
std::string Clip(const std::string& value, size_t at) {
  constexpr size_t kBefore = 60, kShown = 240;
  const size_t start = at > kBefore ? at - kBefore : 0;
  std::string out = start > 0 ? "…" : "";
  out += value.substr(start, kShown);
  return start + kShown < value.size() ? out + "…" : out;
}

Mismatch Differ(std::string_view where, std::string_view field, const std::string& tested,
                const std::string& reference) {
  const std::string label = std::string(where) + ": " + std::string(field);
  const auto differ =
      std::mismatch(tested.begin(), tested.end(), reference.begin(), reference.end());
  const size_t at = static_cast<size_t>(differ.first - tested.begin());
  return {label, label + ": tested " + Clip(tested, at) + ", reference " + Clip(reference, at)};
}

std::string Octal(uint32_t value) {
  char buffer[16];
  snprintf(buffer, sizeof(buffer), "0%o", value);
  return buffer;
}

std::string ShowAnswer(const Answer& answer) {
  std::string out = answer.error != 0 ? ErrorName(answer.error) : std::to_string(answer.result);
  if (!answer.detail.empty()) out += " (" + Quote(answer.detail) + ")";
  return out;
}

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

// Times that somebody set are equal on both sides; those of the clock only near each other.
bool SameTime(int64_t tested, int64_t reference) {
  if (tested == reference) return true;
  const int64_t now = Now();
  return std::abs(tested - now) < kDayNanos && std::abs(reference - now) < kDayNanos;
}

std::string ShowTime(int64_t ns) {
  const int64_t age = Now() - ns;
  return std::to_string(ns) + (std::abs(age) < kDayNanos ? " (now)" : "");
}

// Whether `op` sets the atime of what it names or, for a symbolic link, leads to.
bool SetsAtime(const Op* op, const Object& object) {
  if (op == nullptr || S_ISLNK(object.attributes.mode) || object.role.starts_with("parent")) {
    return false;
  }
  if (op->verb == Verb::kSetTimes) {
    const bool target = object.role.starts_with("target");
    if (target && (op->number[2] & AT_SYMLINK_NOFOLLOW) != 0) return false;
    return op->number[0] != kOmitTime;
  }
  return op->verb == Verb::kSetTimesDescriptor && op->number[1] != kOmitTime;
}

std::string ShowXattrs(const Object& object) {
  std::string out = "{";
  for (const auto& [name, value] : object.xattrs) out += Quote(name) + "=" + Quote(value) + " ";
  return out + "}";
}

std::string ShowListing(const Object& object) {
  std::string out = "{";
  for (const std::string& entry : object.listing) out += Quote(entry) + " ";
  return out + "}";
}

}  // namespace

Comparator::Known* Comparator::Pair(const Attributes& tested, const Attributes& reference,
                                    bool* is_new) {
  const auto [record, new_reference] = by_reference_.try_emplace(reference.identity);
  const auto [back, new_tested] =
      tested_to_reference_.try_emplace(tested.identity, reference.identity);
  *is_new = new_reference;
  if (new_reference) record->second.tested_identity = tested.identity;
  if (record->second.tested_identity != tested.identity || back->second != reference.identity) {
    return nullptr;
  }
  return &record->second;
}

std::optional<Mismatch> Comparator::CompareTimes(const Op* op, const Object& tested,
                                                 const Object& reference, Known* known) {
  const Attributes& a = tested.attributes;
  const Attributes& b = reference.attributes;
  const std::string_view where = op == nullptr ? "tree" : std::string_view(reference.role);
  const Times before_a = known->tested, before_b = known->reference;
  known->tested = {a.mtime, a.ctime};
  known->reference = {b.mtime, b.ctime};
  if (!SameTime(a.mtime, b.mtime))
    return Differ(where, "mtime", ShowTime(a.mtime), ShowTime(b.mtime));
  if (!SameTime(a.ctime, b.ctime))
    return Differ(where, "ctime", ShowTime(a.ctime), ShowTime(b.ctime));
  if (step_succeeded_ && SetsAtime(op, reference) && !SameTime(a.atime, b.atime)) {
    return Differ(where, "atime", ShowTime(a.atime), ShowTime(b.atime));
  }
  if (before_b.ctime == 0) return std::nullopt;  // seen for the first time
  const auto changed = [](bool yes) { return std::string(yes ? "changed" : "unchanged"); };
  const bool mtime_a = a.mtime != before_a.mtime, mtime_b = b.mtime != before_b.mtime;
  if (mtime_a != mtime_b)
    return Differ(where, "change of mtime", changed(mtime_a), changed(mtime_b));
  const bool ctime_a = a.ctime != before_a.ctime, ctime_b = b.ctime != before_b.ctime;
  if (ctime_a != ctime_b && !(ctime_a && op != nullptr && MayChangeCtime(*op)))
    return Differ(where, "change of ctime", changed(ctime_a), changed(ctime_b));
  if (a.ctime < before_a.ctime) {
    return Differ(where, "ctime runs backwards", ShowTime(a.ctime), ShowTime(b.ctime));
  }
  return std::nullopt;
}

std::optional<Mismatch> Comparator::CompareAttributes(const Op* op, const Object& tested,
                                                      const Object& reference) {
  const Attributes& a = tested.attributes;
  const Attributes& b = reference.attributes;
  const std::string_view where = op == nullptr ? "tree" : std::string_view(reference.role);
  const auto number = [](uint64_t n) { return std::to_string(n); };
  if (a.mode != b.mode) return Differ(where, "mode", Octal(a.mode), Octal(b.mode));
  if (a.nlink != b.nlink) return Differ(where, "nlink", number(a.nlink), number(b.nlink));
  if (a.uid != b.uid) return Differ(where, "uid", number(a.uid), number(b.uid));
  if (a.gid != b.gid) return Differ(where, "gid", number(a.gid), number(b.gid));
  if (a.size != b.size && !S_ISDIR(b.mode))
    return Differ(where, "size", number(a.size), number(b.size));
  if (a.rdev != b.rdev && (S_ISCHR(b.mode) || S_ISBLK(b.mode))) {
    return Differ(where, "rdev", number(a.rdev), number(b.rdev));
  }
  if (b.has_btime && !a.has_btime) return Differ(where, "btime", "missing", "present");
  bool is_new = false;
  Known* known = Pair(a, b, &is_new);
  if (known == nullptr) return Differ(where, "identity", "one object", "another");
  known->allocated = known->allocated || (op != nullptr && op->verb == Verb::kAllocate);
  known->copied = known->copied || (op != nullptr && op->verb == Verb::kCopyRange);
  if (S_ISREG(b.mode) && !known->allocated && !BlocksAgree(a.blocks, b.blocks, known->copied)) {
    return Differ(where, "blocks", number(a.blocks),
                  number(b.blocks) + " at size " + number(b.size));
  }
  if (S_ISFIFO(b.mode)) return std::nullopt;
  return CompareTimes(op, tested, reference, known);
}

std::optional<Mismatch> Comparator::CompareData(const Object& tested, const Object& reference) {
  const std::string_view where = reference.role;
  if (tested.link_target != reference.link_target) {
    return Differ(where, "target", Quote(tested.link_target), Quote(reference.link_target));
  }
  if (tested.has_xattrs != reference.has_xattrs || tested.xattrs != reference.xattrs) {
    return Differ(where, "xattrs", ShowXattrs(tested), ShowXattrs(reference));
  }
  if (tested.has_listing != reference.has_listing || tested.listing != reference.listing) {
    return Differ(where, "listing", ShowListing(tested), ShowListing(reference));
  }
  if (tested.has_content != reference.has_content || tested.content != reference.content) {
    return Differ(where, "content", "hash " + std::to_string(tested.content),
                  "hash " + std::to_string(reference.content));
  }
  return std::nullopt;
}

std::optional<Mismatch> Comparator::CompareObject(const Op* op, const Object& tested,
                                                  const Object& reference) {
  if (tested.error != reference.error) {
    return Differ(op == nullptr ? "tree" : reference.role, "existence", ErrorName(tested.error),
                  ErrorName(reference.error));
  }
  if (reference.error != 0) return std::nullopt;
  if (auto mismatch = CompareAttributes(op, tested, reference)) return mismatch;
  auto mismatch = CompareData(tested, reference);
  // Paths in trees are values, not kinds of failure.
  if (mismatch && op == nullptr)
    mismatch->label = "tree" + mismatch->label.substr(reference.role.size());
  return mismatch;
}

std::optional<Mismatch> Comparator::CompareStep(const Op& op, const Reply& tested,
                                                const Reply& reference) {
  const std::string verb(Info(op.verb).name);
  const auto in_step = [&](Mismatch mismatch) {
    mismatch.label = verb + ": " + mismatch.label;
    return mismatch;
  };
  const Answer& a = tested.answer;
  const Answer& b = reference.answer;
  if (a.error != b.error || a.result != b.result || !DetailsAgree(op, a.detail, b.detail)) {
    const std::string_view field = a.error != b.error     ? "errno"
                                   : a.result != b.result ? "result"
                                                          : "data";
    return in_step(Differ("answer", field, ShowAnswer(a), ShowAnswer(b)));
  }
  if (tested.objects.size() != reference.objects.size()) {
    return in_step(Differ("objects", "number", std::to_string(tested.objects.size()),
                          std::to_string(reference.objects.size())));
  }
  step_succeeded_ = b.error == 0;
  for (size_t i = 0; i < reference.objects.size(); ++i) {
    if (auto mismatch = CompareObject(&op, tested.objects[i], reference.objects[i])) {
      return in_step(*std::move(mismatch));
    }
  }
  return std::nullopt;
}

std::optional<Mismatch> Comparator::CompareTree(const Reply& tested, const Reply& reference) {
  const size_t common = std::min(tested.objects.size(), reference.objects.size());
  for (size_t i = 0; i < common; ++i) {
    const Object& a = tested.objects[i];
    const Object& b = reference.objects[i];
    if (a.role != b.role) return Differ("tree", "names", Quote(a.role), Quote(b.role));
    if (auto mismatch = CompareObject(nullptr, a, b)) {
      mismatch->message = Quote(b.role) + ": " + mismatch->message;
      return mismatch;
    }
  }
  if (tested.objects.size() == reference.objects.size()) return std::nullopt;
  return Differ("tree", "number of objects", std::to_string(tested.objects.size()),
                std::to_string(reference.objects.size()));
}

}  // namespace tarn::differential
