#include "client/fuse/request.h"

#include <vector>

#include "client/fuse/ops.h"
#include "common/limits.h"
#include "common/log.h"

namespace tarn::fuse {
namespace {

constexpr int64_t kUmountPatienceNanos = kSecondNanos;

// libfuse holds the request's lock here: only pass the news on.
void OnInterrupt(fuse_req_t, void* data) {
  auto* call = static_cast<Call*>(data);
  std::shared_ptr<Call> shared = call->weak_from_this().lock();
  if (shared == nullptr) return;
  std::shared_ptr<Cancellation> cancellation(shared, &call->cancellation);
  bool any = call->interruptible == Interruptible::kByAnySignal;
  call->bridge.interrupter().Push(cancellation, static_cast<pid_t>(call->pid),
                                  any ? Interruption::kAny : Interruption::kDeath);
}

// What the kernel is told for `code`. ENOSYS would make it never ask again, for the whole mount.
int KernelErrno(Errno code) {
  switch (code) {
    case Errno::kENOSYS:
      return ToSystem(Errno::kEOPNOTSUPP);
    case Errno::kBlocked:
    case Errno::kOk:
      return ToSystem(Errno::kEIO);
    default:
      return ToSystem(code);
  }
}

}  // namespace

Call::Call(FuseBridge& bridge, fuse_req_t req, fuse_ino_t node, std::string_view verb)
    : bridge(bridge),
      req(req),
      node(node),
      verb(verb),
      patience_nanos(bridge.patience_nanos()) {
  bridge.BeginCall();
  const fuse_ctx* ctx = fuse_req_ctx(req);
  uid = ctx->uid;
  gid = ctx->gid;
  pid = static_cast<uint32_t>(ctx->pid);
}

Request::Request(fuse_req_t req, fuse_ino_t node, std::string_view verb, Interruptible how)
    : call_(std::make_shared<Call>(*static_cast<FuseBridge*>(fuse_req_userdata(req)), req, node,
                                   verb)) {
  if (how == Interruptible::kNo) return;
  call_->interruptible = how;
  fuse_req_interrupt_func(req, &OnInterrupt, call_.get());
}

Request::~Request() {
  if (call_ != nullptr && call_->req != nullptr) {
    Fail(Error(Errno::kEIO, "the call was dropped without an answer"));
  }
}

fuse_req_t Request::Finish() {
  fuse_req_t req = std::exchange(call_->req, nullptr);
  // Waits for a callback that is running; none starts afterwards.
  if (call_->interruptible != Interruptible::kNo) fuse_req_interrupt_func(req, nullptr, nullptr);
  return req;
}

Caller Request::MakeCaller() const {
  Caller caller;
  caller.uid = call_->uid;
  caller.gid = call_->gid;
  caller.groups = call_->groups;
  caller.pid = call_->pid;
  caller.patience_nanos = call_->patience_nanos;
  if (call_->interruptible != Interruptible::kNo) {
    caller.cancellation = std::shared_ptr<Cancellation>(call_, &call_->cancellation);
  }
  return caller;
}

void Request::Fail(const Error& error) {
  LogDebug("{} of node {} by uid {}: {} {}", call_->verb, call_->node, call_->uid,
           ErrnoName(error.code), error.message);
  if (call_->req == nullptr) return;
  if (error.code == Errno::kENOENT && !call_->looked_up.empty()) {
    return ops::ReplyAbsent(*this, call_->looked_up);
  }
  fuse_reply_err(Finish(), KernelErrno(error.code));
}

void Request::LetUmountPass() {
  if (call_->uid == 0 && NameOf(static_cast<pid_t>(call_->pid)) == "umount") {
    call_->patience_nanos = kUmountPatienceNanos;
  }
}

bool Request::ReadGroups() {
  if (call_->req == nullptr || call_->groups.has_value()) return false;
  std::vector<gid_t> groups(32);
  int count = fuse_req_getgroups(call_->req, static_cast<int>(groups.size()), groups.data());
  while (count > static_cast<int>(groups.size())) {
    groups.resize(static_cast<size_t>(count));
    count = fuse_req_getgroups(call_->req, count, groups.data());
  }
  if (count < 0) return false;
  groups.resize(static_cast<size_t>(count));
  call_->groups = std::move(groups);
  return true;
}

}  // namespace tarn::fuse
