// A note for umount(8), kept by libmount (/run/mount/utab): who ends a mount.
#pragma once

#include <string>

namespace tarn::cli {

// umount(8) learns the type of a FUSE mount from statfs, that is "fuse", and would look for a
// helper of that name. With the note it calls umount.tarn, which waits for the daemon. Root only;
// nothing happens where it cannot be written.
void NoteUmountHelper(const std::string& source, const std::string& directory);
void DropUmountHelper(const std::string& directory);

}  // namespace tarn::cli
