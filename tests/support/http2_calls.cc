#include "tests/support/http2_calls.h"

#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>

#include <cstdlib>
#include <cstring>
#include <iterator>

#include "proto/calls.pb.h"

namespace tarn::testing {

namespace {

std::string_view Text(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

void Http2Calls::End::operator()(nghttp2_session* session) const { nghttp2_session_del(session); }

// The session is a server's that hears everything and says nothing: what it would say is thrown
// away, the real server says its own.
Http2Calls::Http2Calls() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* options = nullptr;
  nghttp2_session* session = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&options) != 0) {
    std::abort();
  }
  nghttp2_option_set_no_http_messaging(options, 1);
  SetCallbacks(callbacks);
  if (nghttp2_session_server_new2(&session, callbacks, nullptr, options) != 0) std::abort();
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(callbacks);
  session_.reset(session);
  // The real server may allow as much, and the client's consent to its settings is one to these.
  constexpr uint32_t kFrameMax = (1U << 24) - 1;
  constexpr int32_t kWindowMax = INT32_MAX;
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameMax},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindowMax}};
  if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings)) != 0 ||
      nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kWindowMax) != 0) {
    std::abort();
  }
}

void Http2Calls::SetCallbacks(nghttp2_session_callbacks* callbacks) {
  nghttp2_session_callbacks_set_on_header_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t size, uint8_t, void* self) {
        if (frame->hd.type != NGHTTP2_HEADERS) return 0;
        static_cast<Http2Calls*>(self)->TakeHeader(frame->hd.stream_id, Text(name, name_size),
                                                   Text(value, size));
        return 0;
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks, [](nghttp2_session*, uint8_t, int32_t stream, const uint8_t* bytes, size_t size,
                    void* self) {
        static_cast<Http2Calls*>(self)->TakeData(stream, Text(bytes, size));
        return 0;
      });
  // Nobody answers here: what the client has said all of is forgotten.
  nghttp2_session_callbacks_set_on_frame_recv_callback(
      callbacks, [](nghttp2_session* from, const nghttp2_frame* frame, void*) {
        const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (!may_end || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
        return nghttp2_submit_rst_stream(from, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                         NGHTTP2_NO_ERROR);
      });
}

void Http2Calls::Count(std::string_view path) {
  ++(*calls_)[std::string(path.substr(path.rfind('/') + 1))];
}

void Http2Calls::TakeHeader(int32_t stream, std::string_view name, std::string_view value) {
  if (name != ":path") return;
  Count(value);
  if (value == "/tarn.v1.Calls/Stream") streams_[stream];
}

// gRPC's messages: a byte, their length in four, themselves.
void Http2Calls::TakeData(int32_t stream, std::string_view bytes) {
  constexpr size_t kPrefixBytes = 5;
  const auto known = streams_.find(stream);
  if (known == streams_.end()) return;
  std::string& rest = known->second;
  rest += bytes;
  while (rest.size() >= kPrefixBytes) {
    uint32_t size = 0;
    std::memcpy(&size, rest.data() + 1, sizeof size);
    size = ntohl(size);
    if (rest.size() < kPrefixBytes + size) return;
    v1::CallRequest call;
    const bool read = call.ParseFromArray(rest.data() + kPrefixBytes, static_cast<int>(size));
    Count(read ? call.head().rpc() : "unreadable");
    rest.erase(0, kPrefixBytes + size);
  }
}

void Http2Calls::Take(std::string_view bytes, CallCounts& calls) {
  if (session_ == nullptr) return;
  const uint8_t* said = nullptr;
  while (nghttp2_session_mem_send(session_.get(), &said) > 0) {
  }
  nghttp2_session_set_user_data(session_.get(), this);
  calls_ = &calls;
  const auto taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken == static_cast<ssize_t>(bytes.size()) &&
      nghttp2_session_want_read(session_.get()) != 0) {
    return;
  }
  ++calls["unreadable"];
  session_ = nullptr;
}

}  // namespace tarn::testing
