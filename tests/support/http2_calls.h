// Reads what a gRPC client says on a connection: which calls it makes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

struct nghttp2_session;

namespace tarn::testing {

// How often each method was called, by the last part of its path.
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
  std::unique_ptr<nghttp2_session, End> session_;  // null: no longer readable
};

}  // namespace tarn::testing
