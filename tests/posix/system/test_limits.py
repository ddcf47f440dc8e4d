"""Each limit answers with its errno, and what is just inside a limit works."""

import errno
import os
import resource
import signal
import stat
import tempfile
import unittest

from support import LOCAL, LONG, MOUNT_A, MountTest

EFS_LIMITS = bool(os.environ.get("TARN_EFS_LIMITS"))
FILE_MAX = 52_673_613_135_872  # 47.9 TiB
LINK_MAX = 65_000


class NameLimits(MountTest):
    def test_name_of_255_bytes_works_everywhere(self):
        name = "\udcff" * 254 + "a"  # bytes that are no UTF-8
        self.make(name, b"x")
        self.assertEqual(os.stat(self.on_b(name)).st_size, 1)
        self.assertEqual(os.listdir(self.b), [name])
        os.rename(self.on_a(name), self.on_a("y" * 255))
        os.link(self.on_a("y" * 255), self.on_a("z" * 255))
        os.unlink(self.on_b("z" * 255))
        os.mkdir(self.on_a("d" * 255))
        os.symlink("t", self.on_a("s" * 255))
        self.assertEqual(os.readlink(self.on_b("s" * 255)), "t")

    def test_name_of_256_bytes_is_ENAMETOOLONG(self):
        self.make("file")
        long = self.on_a("x" * 256)
        for function, arguments in (
                (os.stat, [long]), (os.mkdir, [long]), (os.unlink, [long]), (os.rmdir, [long]),
                (os.open, [long, os.O_CREAT | os.O_RDWR]), (os.mknod, [long]),
                (os.symlink, ["t", long]), (os.link, [self.on_a("file"), long]),
                (os.rename, [self.on_a("file"), long]), (os.rename, [long, self.on_a("y")]),
                (os.truncate, [long, 0]), (os.listxattr, [long])):
            with self.subTest(function.__name__):
                self.assertFails(errno.ENAMETOOLONG, function, *arguments)

    def test_symlink_of_4095_bytes_works_and_4096_is_ENAMETOOLONG(self):
        os.symlink("t" * 4095, self.on_a("long"))
        self.assertEqual(os.readlink(self.on_b("long")), "t" * 4095)
        self.assertEqual(os.lstat(self.on_b("long")).st_size, 4095)
        self.assertFails(errno.ENAMETOOLONG, os.symlink, "t" * 4096, self.on_a("longer"))
        self.assertFails(errno.ENOENT, os.symlink, "", self.on_a("empty"))

    def test_path_above_4095_bytes_is_ENAMETOOLONG(self):
        self.assertFails(errno.ENAMETOOLONG, os.stat, self.a + "/." * 2100)

    def test_symlink_loop_is_ELOOP(self):
        os.symlink("self", self.on_a("self"))
        os.symlink("two", self.on_a("one"))
        os.symlink("one", self.on_a("two"))
        self.assertFails(errno.ELOOP, os.stat, self.on_a("self"))
        self.assertFails(errno.ELOOP, os.open, self.on_b("one"), os.O_RDONLY)
        self.assertFails(errno.ELOOP, os.open, self.on_a("self"), os.O_RDONLY | os.O_NOFOLLOW)

    def test_deep_tree_can_be_made_and_removed(self):
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(self.a)
            for _ in range(300):
                os.mkdir("d" * 100)
                os.chdir("d" * 100)
            # Too long for a path, yet there.
            self.assertFails(errno.ENAMETOOLONG, os.stat,
                             self.a + "/" + "/".join(["d" * 100] * 300))
            for _ in range(300):
                os.chdir("..")
                os.rmdir("d" * 100)
        finally:
            os.fchdir(here)
            os.close(here)


@unittest.skipUnless(EFS_LIMITS, "the server has its own limits")
class EfsLimits(MountTest):
    """On a server with --efs-limits."""

    def test_links_beyond_177_are_EMLINK(self):
        path = self.make("file")
        for i in range(176):
            os.link(path, self.on_a(f"l{i}"))
        self.assertEqual(os.stat(self.on_b("file")).st_nlink, 177)
        self.assertFails(errno.EMLINK, os.link, path, self.on_a("more"))
        os.unlink(self.on_b("l0"))
        os.link(path, self.on_a("more"))

    def test_symlink_of_4080_bytes_works_and_4081_is_ENAMETOOLONG(self):
        os.symlink("t" * 4080, self.on_a("long"))
        self.assertEqual(os.readlink(self.on_b("long")), "t" * 4080)
        self.assertFails(errno.ENAMETOOLONG, os.symlink, "t" * 4081, self.on_a("longer"))

    def test_directories_are_not_limited(self):
        for i in range(200):
            os.mkdir(self.on_a(f"d{i}"))
        self.assertEqual(os.stat(self.b).st_nlink, 202)


class TreeErrors(MountTest):
    def test_removing_what_is_not_empty_is_ENOTEMPTY(self):
        os.makedirs(self.on_a("full/child"))
        os.mkdir(self.on_a("empty"))
        self.assertFails(errno.ENOTEMPTY, os.rmdir, self.on_b("full"))
        self.assertFails(errno.ENOTEMPTY, os.rename, self.on_a("empty"), self.on_a("full"))
        os.rename(self.on_a("full"), self.on_a("empty"))

    def test_directory_into_itself_is_EINVAL(self):
        os.makedirs(self.on_a("top/middle/bottom"))
        self.assertFails(errno.EINVAL, os.rename, self.on_a("top"),
                         self.on_a("top/middle/bottom/x"))

    def test_file_and_directory_are_not_exchangeable(self):
        os.mkdir(self.on_a("dir"))
        self.make("file")
        self.assertFails(errno.EISDIR, os.rename, self.on_a("file"), self.on_a("dir"))
        self.assertFails(errno.ENOTDIR, os.rename, self.on_a("dir"), self.on_a("file"))
        self.assertFails(errno.ENOTDIR, os.stat, self.on_a("file/x"))
        self.assertFails(errno.ENOTDIR, os.rmdir, self.on_a("file"))
        self.assertFails(errno.EISDIR, os.unlink, self.on_a("dir"))
        self.assertFails(errno.EPERM, os.link, self.on_a("dir"), self.on_a("link"))

    def test_other_file_system_is_EXDEV(self):
        self.make("file")
        elsewhere = tempfile.mkdtemp(dir="/dev/shm")
        self.addCleanup(os.rmdir, elsewhere)
        self.assertFails(errno.EXDEV, os.rename, self.on_a("file"), elsewhere + "/x")
        self.assertFails(errno.EXDEV, os.link, self.on_a("file"), elsewhere + "/x")

    @unittest.skipIf(LOCAL, "needs two mounts")
    def test_other_mount_is_EXDEV(self):
        self.make("file")
        self.assertFails(errno.EXDEV, os.rename, self.on_a("file"), self.on_b("x"))
        self.assertFails(errno.EXDEV, os.link, self.on_a("file"), self.on_b("x"))

    def test_mount_point_cannot_be_removed(self):
        if LOCAL:
            self.skipTest("needs a mount")
        self.assertFails(errno.EBUSY, os.rmdir, MOUNT_A)

    def test_large_directory_is_listed_while_it_is_emptied(self):
        count = 20_000 if LONG else 3_000
        for i in range(count):
            os.mknod(self.on_a(f"f{i}"))
        seen = set()
        with os.scandir(self.b) as entries:
            for entry in entries:
                self.assertNotIn(entry.name, seen)
                seen.add(entry.name)
                os.unlink(entry.path)
        self.assertEqual(len(seen), count)
        self.assertEqual(os.listdir(self.a), [])
        os.rmdir(self.b)
        os.mkdir(self.a)

    @unittest.skipUnless(LONG, "65,000 links take a while")
    def test_links_beyond_65000_are_EMLINK(self):
        path = self.make("file")
        for i in range(LINK_MAX - 1):
            os.link(path, self.on_a(f"l{i}"))
        self.assertEqual(os.stat(self.on_b("file")).st_nlink, LINK_MAX)
        self.assertFails(errno.EMLINK, os.link, path, self.on_a("more"))
        os.unlink(self.on_a("l0"))
        os.link(path, self.on_a("more"))

    @unittest.skipUnless(LONG, "65,000 directories take a while")
    @unittest.skipIf(LOCAL, "ext4 counts no further, and says 1")
    def test_directory_holds_more_directories_than_a_file_has_names(self):
        for i in range(LINK_MAX):
            os.mkdir(self.on_a(f"d{i}"))
        self.assertEqual(os.stat(self.b).st_nlink, LINK_MAX + 2)
        os.mkdir(self.on_a("other"))
        os.mkdir(self.on_a("other/d"))
        os.rename(self.on_a("other/d"), self.on_a("d"))
        self.assertEqual(os.stat(self.b).st_nlink, LINK_MAX + 4)


class SizeLimits(MountTest):
    @unittest.skipIf(LOCAL, "ext4 ends earlier")
    def test_sparse_file_reaches_its_limit_and_no_further(self):
        fd = self.open(self.on_a("big"), os.O_CREAT | os.O_RDWR)
        os.ftruncate(fd, FILE_MAX)
        self.assertEqual(os.fstat(fd).st_blocks, 0)
        self.assertEqual(os.pwrite(fd, b"end", FILE_MAX - 3), 3)
        self.assertEqual(os.stat(self.on_b("big")).st_size, FILE_MAX)
        self.assertEqual(os.pread(fd, 10, FILE_MAX - 5), b"\0\0end")
        self.assertEqual(os.pread(fd, 8, FILE_MAX // 2), bytes(8))
        self.assertFails(errno.EFBIG, os.pwrite, fd, b"x", FILE_MAX)
        self.assertFails(errno.EFBIG, os.ftruncate, fd, FILE_MAX + 1)
        self.assertFails(errno.EFBIG, os.posix_fallocate, fd, FILE_MAX - 1, 2)
        # As much as fits.
        self.assertEqual(os.pwrite(fd, b"four", FILE_MAX - 2), 2)

    @unittest.skipIf(LOCAL, "blocks of 16 KiB")
    def test_blocks_of_a_sparse_file_are_those_written(self):
        fd = self.open(self.on_a("sparse"), os.O_CREAT | os.O_RDWR)
        for i in range(5):
            os.pwrite(fd, b"x" * 16384, i << 30)
        os.fsync(fd)
        self.assertEqual(os.stat(self.on_b("sparse")).st_blocks, 5 * 32)
        os.ftruncate(fd, 1 << 30)
        os.fsync(fd)
        self.assertEqual(os.stat(self.on_b("sparse")).st_blocks, 32)

    def test_holes_are_found(self):
        fd = self.open(self.on_a("holes"), os.O_CREAT | os.O_RDWR)
        os.ftruncate(fd, 1 << 40)
        os.pwrite(fd, b"x" * 65536, 1 << 30)
        os.fsync(fd)
        self.assertEqual(os.lseek(fd, 0, os.SEEK_DATA), 1 << 30)
        self.assertEqual(os.lseek(fd, 1 << 30, os.SEEK_HOLE), (1 << 30) + 65536)
        self.assertFails(errno.ENXIO, os.lseek, fd, (1 << 30) + 65536, os.SEEK_DATA)
        self.assertFails(errno.ENXIO, os.lseek, fd, 1 << 40, os.SEEK_HOLE)

    def test_size_beyond_the_process_limit_is_EFBIG(self):
        path = self.make("limited")

        def grow(_):
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            fd = os.open(path, os.O_WRONLY)
            first = os.write(fd, b"x" * 10_000)
            try:
                os.write(fd, b"x")
            except OSError as error:
                return first, error.errno
            return first, 0

        self.assertEqual(self.child(grow).outcome(), ((8192, errno.EFBIG), None))

    def test_negative_and_absurd_offsets_are_EINVAL(self):
        fd = self.open(self.on_a("file"), os.O_CREAT | os.O_RDWR)
        self.assertFails(errno.EINVAL, os.ftruncate, fd, -1)
        self.assertFails(errno.EINVAL, os.lseek, fd, -1, os.SEEK_SET)
        self.assertFails(errno.EINVAL, os.pwrite, fd, b"x", -1)


class XattrLimits(MountTest):
    def test_name_and_value_limits(self):
        path = self.make("file")
        os.setxattr(path, "user." + "n" * 250, b"v")
        self.assertFails(errno.ERANGE, os.setxattr, path, "user." + "n" * 251, b"v")
        self.assertFails(errno.E2BIG, os.setxattr, path, "user.big", bytes(65537))
        self.assertFails(errno.EOPNOTSUPP, os.setxattr, path, "nonsense.a", b"v")
        self.assertFails(errno.ENODATA, os.getxattr, path, "user.missing")
        self.assertFails(errno.EEXIST, os.setxattr, path, "user." + "n" * 250, b"",
                         os.XATTR_CREATE)
        self.assertFails(errno.ENODATA, os.setxattr, path, "user.new", b"", os.XATTR_REPLACE)

    @unittest.skipIf(LOCAL, "ext4 ends at 4 KiB")
    def test_values_of_64_KiB_work(self):
        path = self.make("file")
        value = os.urandom(65536)
        os.setxattr(path, "user.big", value)
        self.assertEqual(os.getxattr(self.on_b("file"), "user.big"), value)
        os.setxattr(path, "trusted.big", value[:60000])
        self.assertEqual(sorted(os.listxattr(self.on_b("file"))), ["trusted.big", "user.big"])

    def test_user_xattrs_need_a_file_or_directory(self):
        os.mkfifo(self.on_a("fifo"))
        os.symlink("x", self.on_a("link"))
        self.assertFails(errno.EPERM, os.setxattr, self.on_a("fifo"), "user.a", b"v")
        self.assertFails(errno.EPERM, os.setxattr, self.on_a("link"), "user.a", b"v",
                         follow_symlinks=False)


class Privileges(MountTest):
    def test_devices_need_root(self):
        os.chmod(self.a, 0o777)

        def attempt(_):
            os.mknod(self.on_a("dev"), stat.S_IFCHR | 0o666, os.makedev(1, 3))

        self.assertEqual(self.child(attempt, uid=1000, gid=1000).outcome(), (None, errno.EPERM))
        os.mknod(self.on_a("dev"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
        self.assertEqual(os.stat(self.on_b("dev")).st_rdev, os.makedev(1, 3))

    def test_trusted_xattrs_are_hidden_from_users(self):
        path = self.make("file", mode=0o666)
        os.setxattr(path, "trusted.secret", b"v")

        def look(_):
            return os.listxattr(path)

        self.assertEqual(self.child(look, uid=1000, gid=1000).outcome(), ([], None))


if __name__ == "__main__":
    unittest.main()
