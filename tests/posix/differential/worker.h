// A worker process: executes steps inside one directory, as the users that they name.
#pragma once

#include <string>
#include <string_view>

namespace tarn::differential {

enum class Message : uint8_t { kPeers = 1, kSteps = 2, kTree = 3 };

// Frames on the socket: be32 length, bytes. False when the other end is gone or does not answer
// within `timeout_ms` (-1: for ever).
bool SendFrame(int socket, std::string_view frame);
bool ReceiveFrame(int socket, int timeout_ms, std::string* frame);

// Serves `socket` until it closes, with `root` as its whole file system. `injection`: see inject.h,
// or empty. Does not return.
[[noreturn]] void RunWorker(int socket, const std::string& root, std::string_view injection);

}  // namespace tarn::differential
