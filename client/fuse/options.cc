#include "client/fuse/options.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace tarn::fuse {
namespace {

// MS_NOSYMFOLLOW of linux/mount.h, which does not go together with sys/mount.h.
constexpr unsigned long kNoSymFollow = 256;
constexpr uint32_t kTimeoMax = 36000000;  // a thousand hours

struct Number {
  std::string_view name;
  uint32_t MountOptions::*member;  // null: it is ignored
  uint32_t least;
  uint32_t most;
  std::string_view needs;
};
constexpr std::array kNumbers = {
    Number{"timeo", &MountOptions::timeo, 1, kTimeoMax,
           "needs tenths of a second, for example timeo=600"},
    Number{"retrans", nullptr, 0, kTimeoMax, "needs a number"},
    Number{"cache-mib", &MountOptions::cache_mib, kCacheMibMin, kCacheMibMax,
           "needs MiB of memory, from 16 to 1048576"},
};

struct Switch {
  std::string_view name;
  bool MountOptions::*member;
  bool value;
};
constexpr std::array kSwitches = {
    Switch{"ro", &MountOptions::read_only, true},
    Switch{"rw", &MountOptions::read_only, false},
    Switch{"suid", &MountOptions::suid, true},
    Switch{"nosuid", &MountOptions::suid, false},
    Switch{"dev", &MountOptions::dev, true},
    Switch{"nodev", &MountOptions::dev, false},
    Switch{"exec", &MountOptions::exec, true},
    Switch{"noexec", &MountOptions::exec, false},
    Switch{"atime", &MountOptions::atime, true},
    Switch{"noatime", &MountOptions::atime, false},
    Switch{"diratime", &MountOptions::diratime, true},
    Switch{"nodiratime", &MountOptions::diratime, false},
    Switch{"sync", &MountOptions::sync, true},
    Switch{"async", &MountOptions::sync, false},
    Switch{"symfollow", &MountOptions::follow_symlinks, true},
    Switch{"nosymfollow", &MountOptions::follow_symlinks, false},
    Switch{"allow_other", &MountOptions::allow_other, true},
    Switch{"noallow_other", &MountOptions::allow_other, false},
    Switch{"default_permissions", &MountOptions::default_permissions, true},
    Switch{"cache", &MountOptions::cache, true},
    Switch{"nocache", &MountOptions::cache, false},
    Switch{"hard", &MountOptions::soft, false},
    Switch{"soft", &MountOptions::soft, true},
    Switch{"test-ignore-recalls", &MountOptions::test_ignore_recalls, true},
    Switch{"remount", &MountOptions::remount, true},
};

constexpr std::array kFlushes = {
    std::pair(std::string_view("close"), cache::FlushOnClose::kClose),
    std::pair(std::string_view("sync"), cache::FlushOnClose::kSync),
    std::pair(std::string_view("fsync"), cache::FlushOnClose::kFsync),
};

// What mount(8) and fstab say to each other, and what already is so.
constexpr std::array kIgnored = {
    std::string_view("_netdev"), std::string_view("auto"),     std::string_view("noauto"),
    std::string_view("nofail"),  std::string_view("fail"),     std::string_view("defaults"),
    std::string_view("nouser"),  std::string_view("nousers"),  std::string_view("noowner"),
    std::string_view("nogroup"), std::string_view("relatime"), std::string_view("nostrictatime"),
    std::string_view("silent"),  std::string_view("loud"),
};

struct Refusal {
  std::string_view name;  // up to '='
  std::string_view why;
};
constexpr std::string_view kNotYet = "is not supported yet";
constexpr std::string_view kNfs = "belongs to NFS and means nothing here: leave it out";
constexpr std::array kRefused = {
    // Of EFS's mount helper. Each would change who may see what: never ignored.
    Refusal{"tls", kNotYet},
    Refusal{"iam", kNotYet},
    Refusal{"accesspoint", kNotYet},
    Refusal{"tlsport", kNotYet},
    Refusal{"cafile", kNotYet},
    Refusal{"ocsp", kNotYet},
    Refusal{"noocsp", kNotYet},
    Refusal{"awsprofile", kNotYet},
    Refusal{"awscredsuri", kNotYet},
    Refusal{"awscredentials", kNotYet},
    Refusal{"jwtpath", kNotYet},
    Refusal{"rolearn", kNotYet},
    Refusal{"region", kNotYet},
    Refusal{"az", kNotYet},
    Refusal{"crossaccount", kNotYet},
    Refusal{"mounttargetip", kNotYet},
    Refusal{"netns", kNotYet},
    Refusal{"notls", kNotYet},
    Refusal{"dirsync", "is not supported: a name is durable after fsync of its directory"},
    Refusal{"strictatime", "is not supported: atime is kept by the relatime rule"},
    Refusal{"norelatime", "is not supported: atime is kept by the relatime rule"},
    Refusal{"lazytime", "is not supported"},
    Refusal{"mand", "is not supported"},
    Refusal{"bind", "is mount(8)'s own: mount --bind"},
    Refusal{"nfsvers", kNfs},
    Refusal{"vers", kNfs},
    Refusal{"rsize", kNfs},
    Refusal{"wsize", kNfs},
    Refusal{"noresvport", kNfs},
    Refusal{"proto", kNfs},
    Refusal{"sec", kNfs},
};

constexpr std::string_view kHelp =
    "  ro rw suid nosuid dev nodev exec noexec symfollow nosymfollow\n"
    "  atime noatime diratime nodiratime relatime   (the server keeps atime by the relatime rule)\n"
    "  sync async                                   every write as with O_SYNC, or not\n"
    "  allow_other noallow_other                    all users, or only the one who mounts\n"
    "  default_permissions                          the kernel checks permissions too (always on)\n"
    "  cache nocache                                keep what leases cover (coherent), or nothing\n"
    "  cache-mib=N                                  in at most about so much memory (256)\n"
    "  flush=close flush=sync flush=fsync           close(2) waits until the server has what was\n"
    "                                               written, until that is durable, or not at all\n"
    "  hard soft timeo=TENTHS                       wait for an absent server for ever (hard), or "
    "(soft)\n"
    "                                               fail with EIO after timeo/10 s (600: a "
    "minute);\n"
    "                                               what failed may yet take effect; retrans=N: "
    "ignored\n"
    "  log-level=LEVEL log-file=FILE                as the options of that name\n"
    "  user users owner group                       imply noexec, nosuid, nodev\n"
    "  defaults auto noauto nofail _netdev x-…      for mount(8) and fstab; no effect here\n"
    "  remount                                      changes the flags of the first two lines but "
    "ro, rw\n";

std::vector<std::string_view> Split(std::string_view list) {
  std::vector<std::string_view> out;
  while (!list.empty()) {
    size_t comma = std::min(list.find(','), list.size());
    if (comma > 0) out.push_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

Error Bad(std::string_view option, std::string_view why) {
  return {Errno::kEINVAL, "option '" + std::string(option) + "' " + std::string(why)};
}

Status ApplyOption(std::string_view option, bool sloppy, MountOptions& out) {
  std::string_view name = option.substr(0, option.find('='));
  bool has_value = name.size() < option.size();
  std::string value(has_value ? option.substr(name.size() + 1) : "");
  if (!has_value) {
    for (const Switch& row : kSwitches) {
      if (row.name != name) continue;
      out.*row.member = row.value;
      return Ok();
    }
    if (std::find(kIgnored.begin(), kIgnored.end(), name) != kIgnored.end()) return Ok();
  }
  if (name.starts_with("x-") || name.starts_with("X-") || name == "comment") return Ok();
  if (name == "user" || name == "users" || name == "owner" || name == "group") {
    out.suid = out.dev = false;
    if (name == "user" || name == "users") out.exec = false;
    return Ok();
  }
  if (name == "log-level" || name == "log-file") {
    if (value.empty()) return Bad(option, "needs a value");
    (name == "log-level" ? out.log_level : out.log_file) = value;
    return Ok();
  }
  if (name == "flush") {
    const auto row = std::find_if(kFlushes.begin(), kFlushes.end(),
                                  [value](const auto& flush) { return flush.first == value; });
    if (row == kFlushes.end()) return Bad(option, "must be flush=close, flush=sync or flush=fsync");
    out.flush = row->second;
    return Ok();
  }
  for (const Number& row : kNumbers) {
    if (row.name != name) continue;
    uint32_t number = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool whole = error == std::errc() && end == value.data() + value.size();
    if (!whole || number < row.least || number > row.most) return Bad(option, row.needs);
    if (row.member != nullptr) out.*row.member = number;
    return Ok();
  }
  for (const Refusal& row : kRefused) {
    if (row.name == name) return Bad(option, row.why);
  }
  if (sloppy) return Ok();
  return Bad(option, "is unknown. Known are:\n" + std::string(kHelp));
}

}  // namespace

Result<MountOptions> ParseMountOptions(const std::vector<std::string>& lists, bool sloppy,
                                       const MountOptions& defaults) {
  MountOptions out = defaults;
  for (const std::string& list : lists) {
    for (std::string_view option : Split(list)) {
      RETURN_IF_ERROR(ApplyOption(option, sloppy, out));
    }
  }
  return out;
}

unsigned long MountFlags(const MountOptions& options) {
  unsigned long flags = 0;
  if (options.read_only) flags |= MS_RDONLY;
  if (!options.suid) flags |= MS_NOSUID;
  if (!options.dev) flags |= MS_NODEV;
  if (!options.exec) flags |= MS_NOEXEC;
  if (!options.atime) flags |= MS_NOATIME;
  if (!options.diratime) flags |= MS_NODIRATIME;
  if (options.sync) flags |= MS_SYNCHRONOUS;
  if (!options.follow_symlinks) flags |= kNoSymFollow;
  return flags;
}

std::string_view MountOptionHelp() {
  return kHelp;
}

}  // namespace tarn::fuse
