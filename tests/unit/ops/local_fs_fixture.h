// A LocalFs on an engine in memory, and short ways to call it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "common/limits.h"
#include "common/wait.h"
#include "server/ops/local_fs.h"
#include "tests/support/expect.h"
#include "tests/support/fake_clock.h"
#include "tests/support/mem_kv.h"

namespace tarn::ops {

inline constexpr SessionId kA{1, 1}, kB{1, 2};

class LocalFsFixture : public ::testing::Test {
 protected:
  LocalFsFixture() { Start(std::make_unique<testing::MemKv>(), {}); }

  void Start(std::unique_ptr<testing::MemKv> kv, const LocalFsOptions& options) {
    kv_ = kv.get();
    auto store = store::Store::Open(std::move(kv), clock_, true, "test");
    ASSERT_OK(store);
    fs_ = LocalFs::Make(*std::move(store), clock_, options);
  }
  // As after a restart of the process.
  void Restart(const LocalFsOptions& options = {}) {
    std::unique_ptr<testing::MemKv> kv = kv_->Reopen();
    fs_.reset();
    Start(std::move(kv), options);
  }

  static Caller As(SessionId session, Uid uid = 0) {
    Caller caller;
    caller.uid = uid;
    caller.gid = uid;
    caller.groups.emplace();
    caller.session = session;
    return caller;
  }
  static Caller Asking(SessionId session, uint32_t slot, uint64_t sequence) {
    Caller caller = As(session);
    caller.request = RequestId{slot, sequence};
    return caller;
  }
  Handle root() const { return fs_->MakeHandle(kRootIno, 0); }

  template <class V>
  Result<typename V::Reply> Call(const Caller& caller, typename V::Args args) {
    return Wait<V>(*fs_, caller, std::move(args));
  }

  Handle MakeDir(Handle dir, const std::string& name) {
    auto made = Call<verbs::MakeDir>(As(kA), {.dir = dir, .name = name, .mode = 0755});
    EXPECT_OK(made);
    return made.ok() ? made->handle : Handle{};
  }
  // Makes and opens a file for both.
  Handle Create(const std::string& name, OpenId open, SessionId session = kA) {
    auto made = Call<verbs::Create>(
        As(session), {.dir = root(), .name = name, .mode = 0644, .open = open,
                      .access = OpenAccess::kReadWrite});
    EXPECT_OK(made);
    return made.ok() ? made->entry.handle : Handle{};
  }
  Status Open(Handle inode, OpenId open, SessionId session) {
    RETURN_IF_ERROR(Call<verbs::Open>(
        As(session), {.inode = inode, .open = open, .access = OpenAccess::kReadWrite}));
    return Ok();
  }
  Result<WriteReply> Write(Handle inode, OpenId open, const std::string& data,
                           uint64_t offset = 0) {
    return Call<verbs::Write>(
        As(kA),
        {.inode = inode, .open = open, .offset = offset, .data = Bytes::FromString(data)});
  }
  Result<std::string> Read(Handle inode, OpenId open, uint32_t size = 4096) {
    ASSIGN_OR_RETURN(ReadReply reply,
                     Call<verbs::Read>(As(kA), {.inode = inode, .open = open, .size = size}));
    return reply.data.ToString();
  }

  testing::FakeClock clock_;
  testing::MemKv* kv_ = nullptr;  // owned by fs_
  std::unique_ptr<LocalFs> fs_;
};

}  // namespace tarn::ops
