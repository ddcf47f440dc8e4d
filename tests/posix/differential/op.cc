#include "tests/posix/differential/op.h"

#include <stdio.h>
#include <string.h>

#include <charconv>
#include <iterator>

#include "tests/posix/differential/flags.h"

namespace tarn::differential {
namespace {

constexpr VerbInfo kVerbs[] = {
#define V(id, name, arguments, observed) {name, arguments, observed},
#include "tests/posix/differential/verbs.inc"
#undef V
};

std::string FormatTime(int64_t ns) {
  if (ns == kOmitTime) return "OMIT";
  if (ns == kTimeNow) return "NOW";
  return std::to_string(ns);
}

std::string FormatNumber(char kind, int64_t value) {
  char buffer[32];
  switch (kind) {
    case 'f':
      return "fd" + std::to_string(value);
    case 'd':
      return std::to_string(value);
    case 'u':
      return FormatTime(value);
    case 'o':
      snprintf(buffer, sizeof(buffer), "0%llo", static_cast<unsigned long long>(value));
      return buffer;
    default:
      return FormatFlags(kind, value);
  }
}

std::optional<int64_t> ParseInteger(std::string_view word, int base) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> ParseNumber(char kind, std::string_view word) {
  switch (kind) {
    case 'f': {
      if (!word.starts_with("fd")) return std::nullopt;
      const std::optional<int64_t> slot = ParseInteger(word.substr(2), 10);
      return slot && *slot >= 0 && *slot < kSlots ? slot : std::nullopt;
    }
    case 'd':
      return ParseInteger(word, 10);
    case 'o':
      return ParseInteger(word, 8);
    case 'u':
      if (word == "OMIT") return kOmitTime;
      if (word == "NOW") return kTimeNow;
      return ParseInteger(word, 10);
    default:
      return ParseFlags(kind, word);
  }
}

// Takes the next word, quoted or not, off the front of `line`.
std::optional<std::string> NextWord(std::string_view* line) {
  while (!line->empty() && line->front() == ' ') line->remove_prefix(1);
  if (line->empty()) return std::nullopt;
  std::string word;
  if (line->front() != '"') {
    const size_t end = line->find(' ');
    word = line->substr(0, end);
    line->remove_prefix(word.size());
    return word;
  }
  line->remove_prefix(1);
  while (!line->empty() && line->front() != '"') {
    if (line->front() != '\\') {
      word += line->front();
      line->remove_prefix(1);
    } else if (line->size() >= 4 && (*line)[1] == 'x') {
      const std::optional<int64_t> byte = ParseInteger(line->substr(2, 2), 16);
      if (!byte) return std::nullopt;
      word += static_cast<char>(*byte);
      line->remove_prefix(4);
    } else if (line->size() >= 2) {
      word += (*line)[1];
      line->remove_prefix(2);
    } else {
      return std::nullopt;
    }
  }
  if (line->empty()) return std::nullopt;
  line->remove_prefix(1);
  return word;
}

std::optional<uint8_t> UserByUid(int64_t uid) {
  for (size_t i = 0; i < Users().size(); ++i) {
    if (Users()[i].uid == uid) return static_cast<uint8_t>(i);
  }
  return std::nullopt;
}

bool ParseHead(std::string_view* line, Op* op) {
  const std::optional<std::string> process = NextWord(line);
  const std::optional<std::string> user = NextWord(line);
  const std::optional<std::string> verb = NextWord(line);
  if (!verb || process->size() < 2 || user->size() < 2) return false;
  const std::optional<int64_t> number = ParseInteger(std::string_view(*process).substr(1), 10);
  const std::optional<int64_t> uid = ParseInteger(std::string_view(*user).substr(1), 10);
  if (!number || *number < 0 || *number >= kProcesses || !uid || !UserByUid(*uid)) return false;
  op->process = static_cast<uint8_t>(*number);
  op->user = *UserByUid(*uid);
  for (size_t i = 0; i < std::size(kVerbs); ++i) {
    if (kVerbs[i].name != *verb) continue;
    op->verb = static_cast<Verb>(i);
    return true;
  }
  return false;
}

}  // namespace

const VerbInfo& Info(Verb verb) {
  return kVerbs[static_cast<size_t>(verb)];
}

const std::vector<User>& Users() {
  static const std::vector<User>& users = *new std::vector<User>{
      {0, 0, {}}, {1000, 1000, {2000, 3000}}, {1001, 2000, {}}, {65534, 65534, {}}};
  return users;
}

std::vector<int> Op::SlotsUsed() const {
  std::vector<int> slots;
  size_t at = 0;
  for (const char kind : Info(verb).arguments) {
    if (kind == 'p') continue;
    if (kind == 'f') slots.push_back(static_cast<int>(number[at]));
    ++at;
  }
  return slots;
}

std::vector<std::string> Op::Paths() const {
  switch (verb) {
    case Verb::kRename:
    case Verb::kLink:
      return {text[0], text[1]};
    case Verb::kSymLink:
      return {text[1]};
    case Verb::kSetXattrDescriptor:
      return {};
    default:
      break;
  }
  if (Info(verb).arguments.find('p') == std::string_view::npos) return {};
  return {text[0]};
}

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 32 || byte >= 127) {
      char escaped[8];
      snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string FormatOp(const Op& op) {
  std::string out = "p" + std::to_string(op.process) + " u" + std::to_string(Users()[op.user].uid);
  out += ' ';
  out += Info(op.verb).name;
  size_t texts = 0, numbers = 0;
  for (const char kind : Info(op.verb).arguments) {
    out += ' ';
    out += kind == 'p' ? Quote(op.text[texts++]) : FormatNumber(kind, op.number[numbers++]);
  }
  return out;
}

std::optional<Op> ParseOp(std::string_view line) {
  Op op;
  if (!ParseHead(&line, &op)) return std::nullopt;
  size_t texts = 0, numbers = 0;
  for (const char kind : Info(op.verb).arguments) {
    const std::optional<std::string> word = NextWord(&line);
    if (!word) return std::nullopt;
    if (kind == 'p') {
      op.text[texts++] = *word;
      continue;
    }
    const std::optional<int64_t> value = ParseNumber(kind, *word);
    if (!value) return std::nullopt;
    op.number[numbers++] = *value;
  }
  return op;
}

}  // namespace tarn::differential
