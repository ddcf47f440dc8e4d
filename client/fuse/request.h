// One request of the kernel on its way through a verb, and the template that runs it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/fuse/bridge.h"
#include "common/verbs.h"

namespace tarn::fuse {

// What ends the wait of a request.
enum class Interruptible { kNo, kByDeath, kByAnySignal };

// What a request owns while it is under way.
// Thread safety: belongs to whoever has the Request; only `cancellation` is shared with others.
// Lifetime: shared by the Request, the verb (for its cancellation) and the Interrupter.
struct Call : std::enable_shared_from_this<Call> {
  Call(FuseBridge& bridge, fuse_req_t req, fuse_ino_t node, std::string_view verb);
  ~Call() { bridge.EndCall(); }

  FuseBridge& bridge;
  fuse_req_t req;  // null once answered
  const fuse_ino_t node;
  const std::string_view verb;
  Uid uid = 0;
  Gid gid = 0;
  uint32_t pid = 0;
  std::optional<std::vector<Gid>> groups;
  std::string looked_up;  // of a lookup: the name, whose absence the kernel may remember
  Interruptible interruptible = Interruptible::kNo;
  bool asked_again = false;  // with the groups
  int64_t patience_nanos;    // as in Caller
  Cancellation cancellation;
};

// Answers exactly once: by what is done with Finish(), by Fail, or, if it is dropped, with EIO.
// Thread safety: one thread at a time; moves from thread to thread.
class Request {
 public:
  // `verb` must be a literal.
  Request(fuse_req_t req, fuse_ino_t node, std::string_view verb,
          Interruptible how = Interruptible::kByDeath);
  Request(Request&&) noexcept = default;
  Request& operator=(Request&&) = delete;
  ~Request();

  Call* operator->() const { return call_.get(); }
  FuseBridge& bridge() const { return call_->bridge; }
  // On whose behalf a verb is called now. A copy, for an answer may overtake the caller's return.
  Caller MakeCaller() const;

  // The libfuse request, for the one fuse_reply_* that the caller now owes.
  fuse_req_t Finish();
  // The single error exit: answers with the errno. Without effect if already answered.
  void Fail(const Error& error);
  // Answers success without a value.
  void Ok() { fuse_reply_err(Finish(), 0); }

  // umount(8) first looks at what it is to unmount. Its question is not to wait for an absent
  // server: refused, it asks the kernel's table of mounts instead.
  void LetUmountPass();

  // Reads the caller's supplementary groups. False if they cannot be had or were
  // read before.
  bool ReadGroups();

 private:
  std::shared_ptr<Call> call_;
};

// True for verbs whose verdict can depend on the caller's groups. The others go by an open, which
// was judged when it was made, or ask for no permission.
template <class V>
inline constexpr bool kJudgesCaller = true;
#define TARN_GOES_BY_OPEN(verb) \
  template <>                   \
  inline constexpr bool kJudgesCaller<verbs::verb> = false
TARN_GOES_BY_OPEN(Read);
TARN_GOES_BY_OPEN(Flush);
TARN_GOES_BY_OPEN(Fsync);
TARN_GOES_BY_OPEN(Release);
TARN_GOES_BY_OPEN(Seek);
TARN_GOES_BY_OPEN(GetLock);
TARN_GOES_BY_OPEN(SetLock);
TARN_GOES_BY_OPEN(GetAttr);
TARN_GOES_BY_OPEN(StatFs);
TARN_GOES_BY_OPEN(ReadLink);
#undef TARN_GOES_BY_OPEN

// True for those that go by an open as well, unless the file has S_ISGID without group execution:
// a member of its group leaves that bit, who writes otherwise takes it. Never guessed in advance.
template <class V>
inline constexpr bool kSeldomJudgesCaller = false;
template <>
inline constexpr bool kSeldomJudgesCaller<verbs::Write> = true;
template <>
inline constexpr bool kSeldomJudgesCaller<verbs::Allocate> = true;
template <>
inline constexpr bool kSeldomJudgesCaller<verbs::CopyRange> = true;

// One call of verb V for `request`; `again`: what to ask with the caller's groups if it is refused.
template <class V, class F>
void Ask(Request request, typename V::Args args, std::unique_ptr<typename V::Args> again, F on_ok) {
  FileSystem& fs = request.bridge().fs();
  const Caller caller = request.MakeCaller();
  V::Call(fs, caller, std::move(args),
          [request = std::move(request), again = std::move(again),
           on_ok = std::move(on_ok)](Result<typename V::Reply> result) mutable {
            if (result.ok()) {
              if (request->asked_again && !kSeldomJudgesCaller<V>) {
                request.bridge().NoteGroupsMatter(request->uid);
              }
              return on_ok(std::move(request), *std::move(result));
            }
            bool refused = result.code() == Errno::kEACCES || result.code() == Errno::kEPERM;
            if (!refused || again == nullptr || !request.ReadGroups()) {
              return request.Fail(result.error());
            }
            request->asked_again = true;
            Ask<V>(std::move(request), *std::move(again), nullptr, std::move(on_ok));
          });
}

// Runs verb V; `on_ok(Request, Reply)` answers its success, Fail any error. A refusal that was
// given without knowledge of the caller's groups is asked for again with them.
template <class V, class F>
void Run(Request request, typename V::Args args, F on_ok) {
  std::unique_ptr<typename V::Args> again;
  if constexpr (kJudgesCaller<V>) {
    if (request->uid != 0 && !request->groups) {
      if (!kSeldomJudgesCaller<V> && request.bridge().GroupsMatter(request->uid)) {
        request.ReadGroups();
      }
      if (!request->groups) again = std::make_unique<typename V::Args>(args);
    }
  }
  Ask<V>(std::move(request), std::move(args), std::move(again), std::move(on_ok));
}

}  // namespace tarn::fuse
