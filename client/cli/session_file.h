// Which session a mount has, so that the next mount at the same place can end it if this one dies.
#pragma once

#include <optional>
#include <string>

#include "common/result.h"

namespace tarn::cli {

// One file for each mount point, beside the run files (run_file.h), for root's eyes only: who knows
// a session can end it. The daemon holds a lock on it for as long as it lives.
// Thread safety: one thread at a time.
class SessionFile {
 public:
  // Makes or takes over the file for `source` at `directory`. nullopt: there is nowhere to put it,
  // or a daemon that lives has it; a mount works without.
  static std::optional<SessionFile> Take(const std::string& source, const std::string& directory);
  SessionFile(SessionFile&& other) noexcept;
  SessionFile& operator=(SessionFile&&) = delete;
  ~SessionFile();

  // What the last daemon of the same source had when it died; empty: nothing.
  const std::string& previous() const { return previous_; }
  // From now on the session is this one; empty: none, the file goes.
  void Put(const std::string& session);

 private:
  SessionFile(std::string path, int fd, std::string head)
      : path_(std::move(path)), fd_(fd), head_(std::move(head)) {}

  const std::string path_;
  int fd_;
  const std::string head_;  // names the mount
  std::string previous_;
};

}  // namespace tarn::cli
