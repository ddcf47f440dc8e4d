#include "client/cli/helper_note.h"

#include <libmount/libmount.h>
#include <unistd.h>

#include <memory>

#include "common/log.h"

namespace tarn::cli {
namespace {

struct Deleter {
  void operator()(libmnt_fs* fs) const { mnt_unref_fs(fs); }
  void operator()(libmnt_update* update) const { mnt_free_update(update); }
};

// `fs` null: what is noted for `directory` goes.
void Update(libmnt_fs* fs, const char* directory) {
  const std::unique_ptr<libmnt_update, Deleter> update(mnt_new_update());
  if (update == nullptr) return;
  int error = mnt_update_set_fs(update.get(), 0, directory, fs);
  if (error == 0) error = mnt_update_table(update.get(), nullptr);
  if (error < 0) LogDebug("libmount keeps no note of the mount: {}", -error);
}

}  // namespace

void NoteUmountHelper(const std::string& source, const std::string& directory) {
  if (geteuid() != 0) return;
  const std::unique_ptr<libmnt_fs, Deleter> fs(mnt_new_fs());
  if (fs == nullptr) return;
  mnt_fs_set_source(fs.get(), source.c_str());
  mnt_fs_set_target(fs.get(), directory.c_str());
  mnt_fs_set_root(fs.get(), "/");
  mnt_fs_set_fstype(fs.get(), "fuse.tarn");
  mnt_fs_set_options(fs.get(), "helper=tarn");
  Update(fs.get(), nullptr);
}

void DropUmountHelper(const std::string& directory) {
  if (geteuid() == 0) Update(nullptr, directory.c_str());
}

}  // namespace tarn::cli
