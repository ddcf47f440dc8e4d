#include "client/cli/cli.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/mount_command.h"
#include "client/cli/status_command.h"
#include "client/cli/sync_command.h"
#include "client/cli/umount_command.h"

namespace tarn::cli {
namespace {

constexpr char kSpecHelp[] = "what to mount: SERVER[:PORT]:/FILE-SYSTEM[/DIRECTORY]";
constexpr char kExitCodes[] = "Exit codes: 0 done, 1 usage, 2 system error, 32 the command failed.";

// CLI11 ends a parse by an exception; its own codes become those of mount(8).
int Parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return -1;
}

std::string MountFooter() {
  return "Options for -o, in comma-separated lists:\n" + std::string(fuse::MountOptionHelp()) +
         "\nIn the background the daemon logs to /var/log/tarn/NAME.log as root (NAME: the mount "
         "point\nwith '-' for '/'), else nowhere; in the foreground to standard error.\n" +
         kExitCodes;
}

void AddMount(CLI::App& app, MountRequest& request) {
  CLI::App* command = app.add_subcommand("mount", "Mount a file system at a directory");
  command->group("Mounts");
  command->add_option("spec", request.spec, kSpecHelp)->required();
  command->add_option("directory", request.directory, "the mount point")->required();
  command->add_option("-o,--options", request.option_lists, "mount options, see below")
      ->group("Mount")
      ->allow_extra_args(false);
  command->add_flag("--foreground", request.foreground, "stay, and log to standard error")
      ->group("Daemon");
  command
      ->add_option("--log-level", request.log_level, "debug, info (default), warning, error, off")
      ->group("Daemon");
  command->add_option("--log-file", request.log_file, "where the daemon logs")->group("Daemon");
  command->footer(MountFooter());
}

void AddUmount(CLI::App& app, UmountRequest& request) {
  CLI::App* command = app.add_subcommand("umount", "Unmount, and wait until all is written");
  command->group("Mounts");
  command->add_option("directory", request.directory, "the mount point")->required();
  command->add_flag("--lazy", request.lazy,
                    "detach it from the tree now; who uses it may finish; does not wait");
  command->add_flag("--force", request.force,
                    "detach it even if it is used, and kill the daemon if it does not end within "
                    "seconds: what it had not written to the server is lost");
  command->footer("While the server is away this waits for it if anything is left to write (the "
                  "log says what), else not.\n" +
                  std::string(kExitCodes));
}

void AddSync(CLI::App& app, std::string& directory) {
  CLI::App* command = app.add_subcommand(
      "sync", "Wait until all that a mount has acknowledged would survive power loss");
  command->group("Mounts");
  command->add_option("directory", directory, "the mount point, or a place in it")->required();
  command->footer(kExitCodes);
}

void AddStatus(CLI::App& app, std::string& server) {
  CLI::App* command = app.add_subcommand("status", "Show the file systems of a server");
  command->group("Servers");
  command->add_option("server", server, "SERVER[:PORT]")->required();
  command->footer(kExitCodes);
}

bool HasCommand(const CLI::App& app, const std::string& name) {
  auto named = app.get_subcommands([&](const CLI::App* c) { return c->get_name() == name; });
  return !named.empty();
}

int TarnMain(int argc, char** argv, const Environment& environment) {
  CLI::App app("Tarn, an elastic shared file system: its client.", "tarn");
  app.set_version_flag("--version", "tarn " + environment.version);
  app.require_subcommand(1);
  app.footer("'tarn COMMAND --help' says more of each.\n" + std::string(kExitCodes));
  MountRequest mount;
  UmountRequest umount;
  std::string server, synced;
  AddMount(app, mount);
  AddUmount(app, umount);
  AddSync(app, synced);
  AddStatus(app, server);
  // CLI11 would only say that a command is missing.
  if (argc > 1 && argv[1][0] != '-' && !HasCommand(app, argv[1])) {
    std::cerr << "tarn: there is no command '" << argv[1] << "' (tarn --help lists them)\n";
    return kExitUsage;
  }
  if (int code = Parse(app, argc, argv); code >= 0) return code;
  if (app.got_subcommand("mount")) return RunMount(mount, environment);
  if (app.got_subcommand("umount")) return RunUmount(umount);
  if (app.got_subcommand("sync")) return RunSync(synced);
  return RunStatus(server, environment);
}

// mount.tarn SPEC DIR [-sfnvrw] [-t TYPE] [-N NAMESPACE] [-o OPTIONS]
int HelperMain(int argc, char** argv, const Environment& environment) {
  CLI::App app("Mounts a Tarn file system; called by mount(8) for 'mount -t tarn' and /etc/fstab.",
               "mount.tarn");
  app.set_version_flag("-V,--version", "mount.tarn " + environment.version);
  MountRequest request;
  bool quiet = false, read_only = false, read_write = false;
  std::string type, name_space;
  app.add_option("spec", request.spec, kSpecHelp)->required();
  app.add_option("directory", request.directory, "the mount point")->required();
  app.add_option("-o", request.option_lists, "mount options, see below")->allow_extra_args(false);
  app.add_flag("-s", request.sloppy, "ignore options that are unknown");
  app.add_flag("-f", request.check_only, "check, but do not mount");
  app.add_flag("-r", read_only, "read-only, as -o ro");
  app.add_flag("-w", read_write, "read-write, as -o rw");
  app.add_flag("-n,-v", quiet, "no effect: there is no mtab, and nothing to say");
  app.add_option("-t", type, "no effect: the type is known");
  app.add_option("-N", name_space, "not supported");
  app.footer(MountFooter());
  if (int code = Parse(app, argc, argv); code >= 0) return code;
  if (!name_space.empty()) {
    std::cerr << "mount.tarn: -N (another mount namespace) is not supported\n";
    return kExitUsage;
  }
  if (read_only) request.option_lists.emplace_back("ro");
  if (read_write) request.option_lists.emplace_back("rw");
  return RunMount(request, environment);
}

// umount.tarn DIR [-flnrv] [-t TYPE] [-N NAMESPACE]
int UmountHelperMain(int argc, char** argv, const Environment& environment) {
  CLI::App app("Unmounts a Tarn file system and waits for its daemon; called by umount(8).",
               "umount.tarn");
  app.set_version_flag("-V,--version", "umount.tarn " + environment.version);
  UmountRequest request{.program = "umount.tarn"};
  bool quiet = false;
  std::string type, name_space;
  app.add_option("directory", request.directory, "the mount point")->required();
  app.add_flag("-l", request.lazy, "as tarn umount --lazy");
  app.add_flag("-f", request.force, "as tarn umount --force");
  app.add_flag("-n,-v,-r", quiet, "no effect");
  app.add_option("-t", type, "no effect: the type is known");
  app.add_option("-N", name_space, "not supported");
  if (int code = Parse(app, argc, argv); code >= 0) return code;
  if (!name_space.empty()) {
    std::cerr << "umount.tarn: -N (another mount namespace) is not supported\n";
    return kExitUsage;
  }
  return RunUmount(request);
}

}  // namespace

int Main(int argc, char** argv, const Environment& environment) {
  std::string_view name = argc > 0 ? argv[0] : "tarn";
  name = name.substr(name.rfind('/') + 1);
  if (name == "mount.tarn") return HelperMain(argc, argv, environment);
  if (name == "umount.tarn") return UmountHelperMain(argc, argv, environment);
  return TarnMain(argc, argv, environment);
}

}  // namespace tarn::cli
