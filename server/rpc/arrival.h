// One call that has arrived and is to be answered: by an rpc of its own, or in a stream of calls.
#pragma once

#include <grpcpp/support/status.h>

#include <functional>
#include <string>

#include "common/bytes.h"
#include "server/state/request_budget.h"

namespace tarn::rpc {

// Thread safety: its end may come on any thread, after or while it is taken.
// Lifetime: Answer and Refuse end it; it may be gone when they return. Exactly one of them, once.
class Arrival {
 public:
  // Kept until the answer is sent: whoever does not read answers pays for them.
  virtual void Hold(state::RequestBudget::Charge charge) = 0;
  // The rpc's reply, encoded.
  virtual void Answer(const Bytes& reply) = 0;
  // Not OK.
  virtual void Refuse(const grpc::Status& status) = 0;
  // It may wait for long: `leave` runs once nobody is there any more to hear the answer. Only by
  // whoever takes it, before it may end. False: what comes this way may not wait.
  [[nodiscard]] virtual bool Wait(std::function<void()> leave) = 0;

 protected:
  ~Arrival() = default;
};

}  // namespace tarn::rpc
