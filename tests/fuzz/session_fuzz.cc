// The parts of the Session service's messages that are converted: recalls, returns, what is
// reclaimed, attributes of the root.
#include "common/wire/convert.h"
#include "common/wire/lease.h"
#include "tests/fuzz/fuzz.h"

namespace tarn::fuzz {
namespace {

void TryEvent(const v1::Event& event) {
  Recall recall, again;
  if (!wire::Take(event.recall(), recall).ok()) return;
  v1::Recall message;
  wire::Fill(recall, message);
  Require(wire::Take(message, again).ok() && again.names == recall.names && again.to == recall.to,
          "a recall stays as it is");
}

void TryReclaim(const v1::ReclaimRequest& request) {
  for (const v1::ReclaimOpen& open : request.opens()) (void)wire::OpenAccessOf(open.access());
  for (const v1::ReclaimLock& lock : request.locks()) {
    SetLockArgs args;
    if (!wire::Take(lock, args).ok()) continue;
    Require(args.lock.type != LockType::kUnlock && args.lock.start <= args.lock.end && !args.wait,
            "what is reclaimed is a lock");
  }
}

void TryReturn(const v1::ReturnLeasesRequest& request) {
  for (const v1::LeaseReturn& lease : request.leases()) {
    v1::LeaseReturn again;
    wire::Fill(wire::LeaseReturnOf(lease), again);
    Require(again.ino() == lease.ino() && again.sequence() == lease.sequence(), "a return stays");
  }
}

void TryHello(const v1::HelloReply& reply) {
  Attr attr;
  if (wire::Take(reply.root_attr(), attr).ok()) Require(attr.mode <= 07777, "a mode is one");
}

template <class Message>
void Try(std::string_view bytes, void (*use)(const Message&)) {
  Message message;
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) use(message);
}

}  // namespace
}  // namespace tarn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tarn::fuzz;
  Input input(data, size);
  switch (input.Byte() % 4) {
    case 0: Try(input.Rest(), &TryEvent); break;
    case 1: Try(input.Rest(), &TryReclaim); break;
    case 2: Try(input.Rest(), &TryReturn); break;
    default: Try(input.Rest(), &TryHello);
  }
  return 0;
}
