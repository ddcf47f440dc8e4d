"""What programs expect of a local file system beyond reading and writing."""

import ctypes
import errno
import fcntl
import mmap
import os
import socket
import stat
import struct
import subprocess
import time
import unittest

from support import LOCAL, MountTest, checked, libc, readable

AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400
STATX_BTIME, STATX_BASIC = 0x800, 0x7FF
CAPABILITY = struct.pack("<IIIII", 0x02000000, 1 << 13, 0, 0, 0)  # cap_net_raw, permitted


def birth_time(path):
    """In ns, or None if the file system has none."""
    buffer = ctypes.create_string_buffer(256)
    checked(libc.statx(AT_FDCWD, os.fsencode(path), 0, STATX_BASIC | STATX_BTIME, buffer))
    mask, = struct.unpack_from("<I", buffer, 0)
    seconds, nanos = struct.unpack_from("<qI", buffer, 80)
    return seconds * 10**9 + nanos if mask & STATX_BTIME else None


class FileHandle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]


def handle_of(path):
    handle = FileHandle(bytes=128)
    mount = ctypes.c_int()
    checked(libc.name_to_handle_at(AT_FDCWD, os.fsencode(path), ctypes.byref(handle),
                                   ctypes.byref(mount), 0))
    return handle


def open_handle(mount_fd, handle, flags):
    return checked(libc.open_by_handle_at(mount_fd, ctypes.byref(handle), flags))


def link_descriptor(fd, path):
    checked(libc.linkat(AT_FDCWD, f"/proc/self/fd/{fd}".encode(), AT_FDCWD, os.fsencode(path),
                        AT_SYMLINK_FOLLOW))


class Times(MountTest):
    def test_birth_time_is_there_and_stays(self):
        before = time.time_ns() - 10**9
        path = self.make("file")
        born = birth_time(path)
        self.assertIsNotNone(born)
        self.assertTrue(before <= born <= time.time_ns() + 10**9)
        os.chmod(path, 0o600)
        os.utime(path, ns=(1, 2))
        with open(path, "ab") as file:
            file.write(b"more")
        os.rename(path, self.on_a("renamed"))
        self.assertEqual(birth_time(self.on_a("renamed")), born)
        self.assertEqual(birth_time(self.on_b("renamed")), born)

    def test_nanoseconds_survive(self):
        path = self.make("file")
        os.utime(path, ns=(1234567890_123456789, -5_000000001))
        seen = os.stat(self.on_b("file"))
        self.assertEqual((seen.st_atime_ns, seen.st_mtime_ns), (1234567890_123456789, -5_000000001))

    def test_changes_are_ordered_by_their_times(self):
        stamps = []
        for i in range(20):
            self.make(f"f{i}")
            stamps.append(os.stat((self.on_a, self.on_b)[i % 2](f"f{i}")).st_mtime_ns)
        self.assertEqual(stamps, sorted(stamps))


class Privileges(MountTest):
    def change(self, path, action, mode, uid=1000):
        """The mode after user 1000, who may write the file, has acted on it."""
        os.chown(path, uid, 1000)
        os.chmod(path, mode)
        self.assertIsNone(self.child(lambda _: action(path), uid=1000, gid=1000).outcome()[1])
        return stat.S_IMODE(os.stat(self.on_b(os.path.basename(path))).st_mode)

    def test_writing_clears_suid_and_sgid(self):
        path = self.make("file", b"content")

        def write(path):
            fd = os.open(path, os.O_WRONLY)
            os.write(fd, b"x")
            os.close(fd)

        self.assertEqual(self.change(path, write, 0o6777), 0o777)
        self.assertEqual(self.change(path, write, 0o4777, uid=1001), 0o777)
        # Without group execution S_ISGID is no privilege, and stays.
        self.assertEqual(self.change(path, write, 0o2767) & 0o777, 0o767)

    def test_truncation_and_chown_clear_suid_and_sgid(self):
        path = self.make("file", b"content")
        self.assertEqual(self.change(path, lambda path: os.truncate(path, 1), 0o6777), 0o777)
        self.assertEqual(self.change(path, lambda path: os.chown(path, -1, 1000), 0o6777), 0o777)

    def test_root_writing_keeps_them(self):
        path = self.make("file", b"content")
        os.chmod(path, 0o6755)
        with open(path, "r+b") as file:
            file.write(b"root")
        self.assertEqual(stat.S_IMODE(os.stat(self.on_b("file")).st_mode), 0o6755)

    def test_capability_is_kept_until_the_file_is_written(self):
        path = self.make("file", b"content")
        os.setxattr(path, "security.capability", CAPABILITY)
        self.assertEqual(os.getxattr(self.on_b("file"), "security.capability"), CAPABILITY)
        with open(path, "r+b") as file:
            file.write(b"changed")
        self.assertFails(errno.ENODATA, os.getxattr, self.on_b("file"), "security.capability")

    def test_stores_to_a_mapping_keep_a_capability(self):
        path = self.make("file", b"content")
        os.setxattr(path, "security.capability", CAPABILITY)
        mapping = mmap.mmap(self.open(path), 7)
        mapping[:4] = b"CONT"
        mapping.flush()
        mapping.close()
        with open(self.on_b("file"), "rb") as file:
            self.assertEqual(file.read(), b"CONTent")
        self.assertEqual(os.getxattr(self.on_b("file"), "security.capability"), CAPABILITY)

    def access_control_lists(self):
        return subprocess.run(["getfacl", "-R", "-n", "-p", self.a], check=True,
                              capture_output=True).stdout

    def test_access_control_lists_go_round(self):
        self.make("file")
        os.mkdir(self.on_a("dir"))
        subprocess.run(["setfacl", "-m", "u:1000:rw,g:2000:r,m::rw", self.on_a("file")], check=True)
        subprocess.run(["setfacl", "-m", "d:u:1000:rwx,d:g:2000:rx", self.on_a("dir")], check=True)
        self.make("dir/child")
        saved = self.access_control_lists()
        self.assertIn(b"user:1000:rw-", saved)
        subprocess.run(["setfacl", "-R", "-b", self.on_b("")], check=True)
        subprocess.run(["setfacl", "--restore=-"], input=saved, check=True)
        self.assertEqual(self.access_control_lists(), saved)

        def write(_):
            with open(self.on_b("file"), "ab") as file:
                return file.write(b"x")

        self.assertEqual(self.child(write, uid=1000, gid=1000).outcome(), (1, None))
        self.assertEqual(self.child(write, uid=1001, gid=1001).outcome(), (None, errno.EACCES))

    def test_supplementary_groups_count(self):
        path = self.make("file", b"content", 0o640)
        os.chown(path, 0, 3000)

        def read(_):
            with open(self.on_b("file"), "rb") as file:
                return file.read()

        self.assertEqual(self.child(read, uid=1000, gid=1000).outcome(), (None, errno.EACCES))
        many = list(range(5000, 5100)) + [3000]
        self.assertEqual(self.child(read, uid=1000, gid=1000, groups=many).outcome(),
                         (b"content", None))


class OpenFiles(MountTest):
    def test_file_unlinked_elsewhere_goes_on(self):
        path = self.make("file", b"content")
        fd = self.open(path)
        os.unlink(self.on_b("file"))
        self.assertFails(errno.ENOENT, os.stat, path)
        self.assertEqual(os.fstat(fd).st_nlink, 0)
        os.pwrite(fd, b"CON", 0)
        self.assertEqual(os.pread(fd, 10, 0), b"CONtent")
        os.ftruncate(fd, 1 << 20)
        self.assertEqual(os.fstat(fd).st_size, 1 << 20)

    def test_file_replaced_elsewhere_goes_on(self):
        path = self.make("file", b"old")
        self.make("new", b"new!")
        fd = self.open(path)
        os.rename(self.on_b("new"), self.on_b("file"))
        self.assertEqual(os.pread(fd, 10, 0), b"old")
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"new!")

    def test_nameless_file_gets_a_name(self):
        fd = self.open(self.a, os.O_TMPFILE | os.O_RDWR, 0o600)
        os.write(fd, b"hidden")
        self.assertEqual(os.fstat(fd).st_nlink, 0)
        self.assertEqual(os.listdir(self.b), [])
        link_descriptor(fd, self.on_a("named"))
        with open(self.on_b("named"), "rb") as file:
            self.assertEqual(file.read(), b"hidden")
        exclusive = self.open(self.a, os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600)
        self.assertFails(errno.ENOENT, link_descriptor, exclusive, self.on_a("never"))

    def test_path_descriptors_name_but_do_not_read(self):
        self.make("file", b"content")
        fd = self.open(self.on_a("file"), os.O_PATH)
        self.assertFails(errno.EBADF, os.read, fd, 1)
        self.assertEqual(os.fstat(fd).st_size, 7)
        with open(f"/proc/self/fd/{fd}", "rb") as file:
            self.assertEqual(file.read(), b"content")


class DataPaths(MountTest):
    def test_sendfile_and_splice_carry_data(self):
        content = os.urandom(300_000)
        source = self.open(self.make("source", content))
        target = self.open(self.on_a("target"), os.O_CREAT | os.O_RDWR)
        done = 0
        while done < len(content):
            done += os.sendfile(target, source, done, len(content) - done)
        reader, writer = os.pipe()
        spliced = self.open(self.on_a("spliced"), os.O_CREAT | os.O_RDWR)
        done = 0
        while done < len(content):
            moved = os.splice(source, writer, 60_000, offset_src=done)
            while moved > 0:
                went = os.splice(reader, spliced, moved, offset_dst=done)
                moved -= went
                done += went
        os.close(reader)
        os.close(writer)
        for name in ("target", "spliced"):
            with open(self.on_b(name), "rb") as file:
                self.assertEqual(file.read(), content)

    def test_copy_file_range_copies_within_and_between_files(self):
        content = os.urandom(200_000)
        source = self.open(self.make("source", content))
        target = self.open(self.on_a("target"), os.O_CREAT | os.O_RDWR)
        done = 0
        while done < len(content):
            done += os.copy_file_range(source, target, len(content) - done, done, done)
        with open(self.on_b("target"), "rb") as file:
            self.assertEqual(file.read(), content)
        self.assertEqual(os.copy_file_range(source, source, 1000, 0, 200_000), 1000)
        self.assertEqual(os.pread(source, 1000, 200_000), content[:1000])
        self.assertFails(errno.EINVAL, os.copy_file_range, source, source, 1000, 0, 500)
        self.assertEqual(os.copy_file_range(source, target, 10, 1 << 30, 0), 0)

    def test_allocation_and_holes(self):
        fd = self.open(self.make("file", b"x" * 100_000))
        keep, punch, zero = 1, 2, 16
        libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
        checked(libc.fallocate(fd, punch | keep, 10_000, 50_000))
        checked(libc.fallocate(fd, zero, 90_000, 20_000))
        checked(libc.fallocate(fd, keep, 0, 500_000))
        with open(self.on_b("file"), "rb") as file:
            data = file.read()
        self.assertEqual(data, b"x" * 10_000 + bytes(50_000) + b"x" * 30_000 + bytes(20_000))
        checked(libc.fallocate(fd, 0, 0, 120_000))
        self.assertEqual(os.stat(self.on_b("file")).st_size, 120_000)

    def test_special_files_join_processes(self):
        os.mkfifo(self.on_a("fifo"))
        reader = self.open(self.on_a("fifo"), os.O_RDONLY | os.O_NONBLOCK)
        writer = self.open(self.on_a("fifo"), os.O_WRONLY)
        os.write(writer, b"through")
        self.assertEqual(os.read(reader, 100), b"through")
        here = os.getcwd()
        server = socket.socket(socket.AF_UNIX)
        client = socket.socket(socket.AF_UNIX)
        try:
            os.chdir(self.a)
            server.bind("socket")
            server.listen()
            client.connect("socket")
        finally:
            os.chdir(here)
            server.close()
            client.close()
        self.assertTrue(stat.S_ISSOCK(os.stat(self.on_b("socket")).st_mode))


class Watching(MountTest):
    def test_inotify_reports_local_changes(self):
        fd = checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self.addCleanup(os.close, fd)
        checked(libc.inotify_add_watch(fd, os.fsencode(self.a), 0xFFF))
        self.make("file", b"x")
        os.rename(self.on_a("file"), self.on_a("new"))
        os.unlink(self.on_a("new"))
        self.assertTrue(readable(fd, 5))
        data, seen = os.read(fd, 65536), set()
        while data:
            _, mask, _, length = struct.unpack_from("iIII", data)
            seen.add((mask & 0xFFF, data[16:16 + length].rstrip(b"\0")))
            data = data[16 + length:]
        for mask, name in ((0x100, b"file"), (0x2, b"file"), (0x40, b"file"), (0x80, b"new"),
                           (0x200, b"new")):
            self.assertIn((mask, name), seen)

    def test_leases_are_refused_cleanly_or_work_locally(self):
        # They cannot be broken from another host: see the list of limits in proto/SEMANTICS.md.
        fd = self.open(self.make("file"), os.O_RDONLY)
        try:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            self.assertIn(error.errno, (errno.EINVAL, errno.EAGAIN, errno.EOPNOTSUPP))
            return
        self.assertEqual(fcntl.fcntl(fd, fcntl.F_GETLEASE), fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)


class Handles(MountTest):
    def test_handles_reopen_files_and_directories(self):
        path = self.make("file", b"content")
        os.mkdir(self.on_a("dir"))
        mount = self.open(self.a, os.O_RDONLY)
        file_handle, dir_handle = handle_of(path), handle_of(self.on_a("dir"))
        os.rename(path, self.on_a("dir/moved"))
        fd = open_handle(mount, file_handle, os.O_RDONLY)
        self.assertEqual(os.read(fd, 100), b"content")
        os.close(fd)
        fd = open_handle(mount, dir_handle, os.O_RDONLY)
        self.assertEqual(os.listdir(fd), ["moved"])
        os.close(fd)

    def test_handle_of_what_is_gone_is_ESTALE(self):
        path = self.make("file", b"content")
        mount = self.open(self.a, os.O_RDONLY)
        handle = handle_of(path)
        os.unlink(path)
        deadline = time.monotonic() + 15  # an orphan lives on for a few seconds
        while True:
            try:
                os.close(open_handle(mount, handle, os.O_RDONLY))
            except OSError as error:
                self.assertEqual(error.errno, errno.ESTALE)
                return
            self.assertLess(time.monotonic(), deadline, "a handle of a removed file opens")
            time.sleep(0.2)

    @unittest.skipIf(LOCAL, "needs two mounts")
    def test_handle_of_one_mount_works_on_the_other(self):
        handle = handle_of(self.make("file", b"content"))
        mount = self.open(self.b, os.O_RDONLY)
        fd = open_handle(mount, handle, os.O_RDONLY)
        self.assertEqual(os.read(fd, 100), b"content")
        os.close(fd)


if __name__ == "__main__":
    unittest.main()
