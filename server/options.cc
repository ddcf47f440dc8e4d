#include "server/options.h"

#include <arpa/inet.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/limits.h"

namespace tarn {
namespace {

constexpr char kAbout[] =
    "tarnd: the server of Tarn, a shared file system.\n"
    "Exit status: 0 after SIGTERM, 1 bad usage, 2 the state directory cannot be used,\n"
    "3 cannot listen. With fsck: 0 all is well, 1 something was found, 2 it could not be checked.";

void Declare(CLI::App& app, ServerOptions& options) {
  app.set_version_flag("--version", "tarnd 0.1.0 (protocol 1, format 2)");
  app.set_config("--config", "", "Read options from this file; flags win")->group("General");
  app.add_option("--log-level", options.log_level, "debug, info, warning, error or off")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "off"}))
      ->capture_default_str()
      ->group("General");
  app.add_option("--state", options.state, "Directory of everything that is kept; made if missing")
      ->required()
      ->group("Service");
  app.add_option("--listen", options.listen, "ADDRESS:PORT to serve at (port 0: any free one)")
      ->capture_default_str()
      ->group("Service");
  app.add_flag("--insecure", options.insecure,
               "Serve beyond loopback although connections are not encrypted")
      ->group("Service");
  app.add_flag("--efs-limits", options.efs_limits,
               "EFS's lower limits: 177 names of a file, targets of symlinks of 4,080 bytes")
      ->group("Service");
  const CLI::Range seconds(kSessionLifetimeSecondsMin, kSessionLifetimeSecondsMax);
  app.add_option("--session-lifetime", options.session_lifetime_s,
                 "Seconds after which a client that says nothing may be given up")
      ->check(seconds)
      ->capture_default_str()
      ->group("Service");
  app.add_option("--recall-deadline", options.recall_deadline_s,
                 "Seconds after which a client that keeps what others need is given up")
      ->check(seconds)
      ->capture_default_str()
      ->group("Service");
  app.add_option("--block-cache-mib", options.block_cache_mib, "Memory for reading, in MiB")
      ->check(CLI::Range(8, 1 << 20))
      ->capture_default_str()
      ->group("Memory");
  app.add_option("--write-buffer-mib", options.write_buffer_mib, "Memory for writing, in MiB")
      ->check(CLI::Range(16, 1 << 20))
      ->capture_default_str()
      ->group("Memory");
  app.add_option("--request-memory-mib", options.request_memory_mib,
                 "Memory for requests under way, and as much for those that arrive, in MiB")
      ->check(CLI::Range(64, 1 << 20))
      ->capture_default_str()
      ->group("Memory");
  app.add_option("--scrub-hours", options.scrub_hours,
                 "Hours between two readings of everything stored; 0: never")
      ->capture_default_str()
      ->group("Service");
  app.add_option("--scrub-mib-per-second", options.scrub_mib_per_second, "How fast it is read")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->group("Service");
  CLI::App* fsck = app.add_subcommand(
      "fsck", "Check all that is stored, and name the files that suffered; changes nothing.\n"
              "No tarnd may use the directory meanwhile");
  fsck->fallthrough();  // --state may follow
  fsck->add_option("--file-system", options.file_system, "Only this one, by name or id");
  fsck->callback([&options] { options.fsck = true; });
}

}  // namespace

ParsedOptions ParseServerOptions(int argc, const char* const* argv) {
  ParsedOptions parsed;
  CLI::App app(kAbout, "tarnd");
  Declare(app, parsed.options);
  try {
    app.parse(argc, argv);
    parsed.run = true;
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error) == 0 ? 0 : 1;
  }
  return parsed;
}

bool IsLoopback(const std::string& listen) {
  if (listen.starts_with("unix:")) return true;
  const std::string host = listen.substr(0, listen.rfind(':'));
  if (host == "localhost" || host == "[::1]") return true;
  // An address, not a name that looks like one: who knows where that leads.
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

}  // namespace tarn
