// The parts of Hello that are about the file system, not the session.
#pragma once

#include <string>

#include "common/filesystem.h"
#include "proto/session.pb.h"
#include "server/rpc/session_service.h"

namespace tarn::rpc {

// The volume of a name or id. Errors: ENOENT with a sentence that lists what there is.
Result<Volume*> FindVolume(const VolumeMap& volumes, const std::string& name);

// The directory at `path`, walked from the root as root. Errors: ENOENT, ENOTDIR, with a sentence.
// Blocks.
Result<EntryReply> ResolveDirectory(ops::LocalFs& fs, const std::string& path);

// All of the reply that follows from the session alone (not its lifetime). Blocks.
void FillHello(const state::Session& session, Clock& clock, v1::HelloReply& reply);

}  // namespace tarn::rpc
