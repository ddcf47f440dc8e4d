// `tarn`, but for a file system that answers nothing, and whose flush lasts for as long as the file
// named by TARN_TEST_HOLD is there.
#include <unistd.h>

#include <cstdlib>

#include "client/cli/cli.h"
#include "tests/support/eventually.h"
#include "tests/support/stub_fs.h"

int main(int argc, char** argv) {
  using tarn::cli::Connection;
  using tarn::testing::Eventually;
  tarn::cli::Environment environment;
  environment.connect = [](const tarn::cli::ConnectRequest&) -> tarn::Result<Connection> {
    Connection connection;
    connection.fs = std::make_shared<tarn::testing::StubFs>();
    connection.root = {tarn::kRootIno, 0};
    connection.root_attr.mode = 0755;
    connection.flush_all = [] {
      const char* hold = std::getenv("TARN_TEST_HOLD");
      Eventually([&] { return hold == nullptr || access(hold, F_OK) != 0; },
                 2 * tarn::testing::kPatience);
    };
    connection.unwritten = [] { return "7 files"; };
    connection.close = [] {};
    return connection;
  };
  return tarn::cli::Main(argc, argv, environment);
}
