// Reads what a client says on a connection: which calls it makes, each by an rpc of its own or as a
// message of a stream of calls (proto/calls.proto).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

struct nghttp2_session;
struct nghttp2_session_callbacks;

namespace tarn::testing {

// How often each method was called, by the last part of its path; "Stream": streams opened.
using CallCounts = std::map<std::string, int64_t>;

// The client's side of a connection, from its first byte.
// Thread safety: one thread at a time.
class Http2Calls {
 public:
  Http2Calls();

  // Adds the calls that begin in these bytes. What is no HTTP/2 counts as one call, "unreadable",
  // and nothing more is read of the connection.
  void Take(std::string_view bytes, CallCounts& calls);

 private:
  struct End {
    void operator()(nghttp2_session* session) const;
  };
  void TakeHeader(int32_t stream, std::string_view name, std::string_view value);
  void TakeData(int32_t stream, std::string_view bytes);
  void Count(std::string_view path);
  void SetCallbacks(nghttp2_session_callbacks* callbacks);

  std::unique_ptr<nghttp2_session, End> session_;  // null: no longer readable
  // Of streams of calls: what was said and is not a whole message yet.
  std::map<int32_t, std::string> streams_;
  CallCounts* calls_ = nullptr;  // while it takes
};

}  // namespace tarn::testing
