#include "tests/support/in_process_server.h"

#include "server/store/keys.h"
#include "server/store/records.h"
#include "tests/support/expect.h"

namespace tarn::testing {

InProcessServer::InProcessServer(const Timing& timing)
    : timing_(timing), contents_(std::make_unique<MemKv>()) {
  Start();
}

InProcessServer::~InProcessServer() { Stop(); }

std::string InProcessServer::address() const { return "127.0.0.1:" + std::to_string(port_); }

void InProcessServer::Stop() {
  server_.reset();
  fs_.reset();
}

void InProcessServer::LosePower() {
  std::unique_ptr<MemKv> left = kv_->PowerLoss();
  Stop();
  store::Batch batch;
  const store::OpenMark mark{"another boot", false};
  batch.Put(store::Family::kSuper, std::string(store::kOpenKey),
            Bytes::FromString(store::EncodeOpenMark(mark)));
  ASSERT_OK(left->Write(batch, store::Tier::kMayBlock));
  contents_ = std::move(left);
}

void InProcessServer::Start() {
  std::unique_ptr<MemKv> kv = contents_->Reopen();
  kv_ = kv.get();
  auto store = store::Store::Open(std::move(kv), SystemClock(), /*create=*/true, "default");
  ASSERT_OK(store);
  auto sessions = (*store)->LoadSessions();
  ASSERT_OK(sessions);
  fs_ = ops::LocalFs::Make(std::move(store).value(), SystemClock(),
                           {.grace = !sessions->empty(), .timing = timing_});
  auto server = rpc::Server::Start(address(), {fs_.get()}, SystemClock(), timing_);
  ASSERT_OK(server);
  server_ = std::move(server).value();
  port_ = server_->port();
}

}  // namespace tarn::testing
