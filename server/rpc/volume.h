// A file system as the front serves it: LocalFs and its store, seen from the sessions' side.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/ops/local_fs.h"
#include "server/state/session_table.h"

namespace tarn::rpc {

// Thread safety: safe. Lifetime: as long as the table of sessions; the LocalFs outlives it.
class Volume : public state::SessionVolume {
 public:
  explicit Volume(ops::LocalFs& fs) : fs_(fs) {}

  ops::LocalFs& fs() const { return fs_; }
  store::Store& store() const { return fs_.store(); }

  // Hands the sessions on record to the table and lets the file system ask it about silent ones.
  // Errors: EIO.
  Status Attach(std::shared_ptr<state::SessionTable> sessions);
  // Undoes it; a question that is under way may outlast this call.
  void Detach() { fs_.SetExpireSilent(nullptr); }

  Status Save(const state::SessionFacts& facts, bool fenced) override;
  Status Forget(SessionId id) override { return store().DeleteSession(id); }
  void EndSession(SessionId id) override { fs_.EndSession(id); }
  void EndGrace() override { fs_.EndGrace(); }

 private:
  ops::LocalFs& fs_;
};

}  // namespace tarn::rpc
