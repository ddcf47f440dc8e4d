// A server in this process, clients of it, and short forms of the verbs that these tests use.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>

#include "client/transport/remote_fs.h"
#include "common/wait.h"
#include "tests/support/eventually.h"
#include "tests/support/expect.h"
#include "tests/support/in_process_server.h"
#include "tests/support/relay.h"

namespace tarn::transport {

// A call under way: get() its answer.
template <class V>
using Answer = std::future<Result<typename V::Reply>>;

template <class V>
Answer<V> Start(FileSystem& fs, const Caller& caller, typename V::Args args) {
  auto promise = std::make_shared<std::promise<Result<typename V::Reply>>>();
  Answer<V> answer = promise->get_future();
  V::Call(fs, caller, std::move(args), [promise](Result<typename V::Reply> result) {
    promise->set_value(std::move(result));
  });
  return answer;
}

template <class T>
bool IsReady(const std::future<T>& answer) {
  return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

class RemoteFixture : public ::testing::Test {
 protected:
  explicit RemoteFixture(const Timing& timing = {}) : server_(timing) {}

  std::unique_ptr<RemoteFs> Connect(const std::string& address) {
    ConnectOptions options;
    options.server = address;
    options.client_name = "test";
    auto fs = RemoteFs::Connect(options);
    EXPECT_OK(fs);
    return fs.ok() ? std::move(fs).value() : nullptr;
  }
  std::unique_ptr<RemoteFs> Connect() { return Connect(server_.address()); }

  Result<CreateReply> Create(RemoteFs& fs, const std::string& name) {
    return Wait<verbs::Create>(fs, root_,
                               {.dir = fs.root().handle,
                                .name = name,
                                .mode = 0644,
                                .open = OpenId{++last_open_},
                                .access = OpenAccess::kReadWrite});
  }
  // Of the file created or opened last.
  OpenId last_open() const { return OpenId{last_open_.load()}; }

  Result<OpenReply> Open(RemoteFs& fs, Handle inode) {
    return Wait<verbs::Open>(
        fs, root_,
        {.inode = inode, .open = OpenId{++last_open_}, .access = OpenAccess::kReadWrite});
  }
  Result<EntryReply> Lookup(FileSystem& fs, Handle dir, const std::string& name) {
    return Wait<verbs::Lookup>(fs, root_, {dir, name});
  }
  // As the server itself sees the root directory.
  bool Exists(const std::string& name) {
    Caller caller = root_;
    return Lookup(server_.fs(), server_.fs().MakeHandle(kRootIno, 0), name).ok();
  }
  Status Write(RemoteFs& fs, Handle inode, OpenId open, const std::string& data) {
    const auto reply = Wait<verbs::Write>(
        fs, root_, {.inode = inode, .open = open, .data = Bytes::Copy(data)});
    if (!reply.ok()) return reply.error();
    return Ok();
  }
  Result<std::string> Read(RemoteFs& fs, Handle inode, OpenId open, uint32_t size) {
    ASSIGN_OR_RETURN(const ReadReply reply,
                     Wait<verbs::Read>(fs, root_, {.inode = inode, .open = open, .size = size}));
    return reply.data.ToString();
  }

  static SetLockArgs LockOf(Handle inode, OpenId open, LockType type, bool wait,
                            uint64_t owner = 1) {
    return {.inode = inode, .open = open, .owner = LockOwner{owner}, .wait = wait,
            .lock = {.type = type}};
  }
  Status SetLock(RemoteFs& fs, const SetLockArgs& args) {
    return Wait<verbs::SetLock>(fs, root_, args);
  }
  Caller Cancellable(std::shared_ptr<Cancellation> cancellation) const {
    Caller caller = root_;
    caller.cancellation = std::move(cancellation);
    return caller;
  }

  static Caller RootCaller() {
    Caller caller;
    caller.groups.emplace();
    return caller;
  }

  const Caller root_ = RootCaller();
  testing::InProcessServer server_;
  std::atomic<uint64_t> last_open_ = 0;
};

}  // namespace tarn::transport
