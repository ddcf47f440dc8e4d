// A file system as the front serves it: LocalFs and its store, seen from the sessions' side.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/ops/local_fs.h"
#include "server/state/session_table.h"

namespace tarn::rpc {

class EventStreams;

// Thread safety: safe. Lifetime: as long as the table of sessions; the LocalFs outlives it.
class Volume : public state::SessionVolume {
 public:
  Volume(ops::LocalFs& fs, EventStreams& streams) : fs_(fs), streams_(streams) {}

  ops::LocalFs& fs() const { return fs_; }
  store::Store& store() const { return fs_.store(); }

  // Hands the sessions on record to the table, and lets the file system ask it about silent ones
  // and tell `streams` of recalls. What it is given is kept alive until Detach, and beyond by a
  // question that is under way then. Errors: EIO.
  Status Attach(std::shared_ptr<state::SessionTable> sessions,
                std::shared_ptr<EventStreams> streams);
  void Detach();

  // Whether `previous` was fenced, and what it did not answer may be asked again by a session with
  // these facts. Not its root: that was found by a path, which may lead elsewhere since, and limits
  // nothing (a handle's tag does, by the access point). May block.
  bool KeepsRepliesOf(SessionId previous, const state::SessionFacts& facts) const;

  Status Save(const state::SessionFacts& facts, state::Standing standing, Timestamp now) override;
  Status Forget(SessionId id) override { return store().DeleteSession(id); }
  void EndSession(SessionId id) override { fs_.EndSession(id); }
  void TellFenced(SessionId id) override;
  void EndGrace() override { fs_.EndGrace(); }

 private:
  ops::LocalFs& fs_;
  EventStreams& streams_;
};

}  // namespace tarn::rpc
