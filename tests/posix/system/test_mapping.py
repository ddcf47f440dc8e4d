"""Contents between mounts and mappings: append, mmap, truncation, execution."""

import errno
import mmap
import os
import shutil
import signal
import struct
import subprocess
import threading
import unittest

from support import LOCAL, LONG, MountTest

PAGE = mmap.PAGESIZE


def pages_of_a_request():
    try:
        with open("/proc/sys/fs/fuse/max_pages_limit", encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return 256


class Appends(MountTest):
    """Records of many sizes, appended on both mounts at once, are whole and all there."""

    HEAD = struct.Struct("<IIQ")  # writer, number, length of what follows

    def append(self, path, writer, sizes, _):
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        for number, size in enumerate(sizes):
            filling = bytes([65 + (writer + number) % 26]) * size
            record = self.HEAD.pack(writer, number, size) + filling
            pages = mmap.mmap(-1, PAGE + len(record))
            pages[100:100 + len(record)] = record
            if os.write(fd, memoryview(pages)[100:100 + len(record)]) != len(record):
                return "short"
        return "done"

    def check(self, sizes):
        path = self.make("log")
        writers = [self.child(self.append, place("log"), writer, sizes)
                   for writer, place in enumerate((self.on_a, self.on_b, self.on_a, self.on_b))]
        for writer in writers:
            self.assertEqual(writer.outcome(120), ("done", None))
        with open(path, "rb") as file:
            data = file.read()
        at, following = 0, [0] * len(writers)
        while at < len(data):
            writer, number, size = self.HEAD.unpack_from(data, at)
            self.assertLess(writer, len(writers), f"torn at {at}")
            self.assertEqual(number, following[writer], f"lost or reordered at {at}")
            following[writer] += 1
            at += self.HEAD.size
            self.assertEqual(data[at:at + size], bytes([65 + (writer + number) % 26]) * size,
                             f"torn at {at}")
            at += size
        self.assertEqual(following, [len(sizes)] * len(writers))

    def test_small_records_from_two_mounts_are_not_torn(self):
        self.check([(i * 37) % 300 for i in range(500 if LONG else 150)])

    def test_records_across_blocks_from_two_mounts_are_not_torn(self):
        self.check([4096 + (i * 7919) % 60_000 for i in range(100 if LONG else 25)])

    def test_records_of_a_MiB_from_two_mounts_are_not_torn(self):
        # The buffer begins within a page and so covers 257: one request must hold them all.
        if not LOCAL and pages_of_a_request() <= 256:
            self.skipTest("the kernel ends at 256 pages")
        self.check([(1 << 20) - self.HEAD.size] * (20 if LONG else 5))


class Mappings(MountTest):
    def map(self, path, length, **options):
        fd = self.open(path)
        mapping = mmap.mmap(fd, length, **options)
        self.addCleanup(self.close_mapping, mapping)
        return mapping

    @staticmethod
    def close_mapping(mapping):
        try:
            mapping.close()
        except (BufferError, ValueError):
            pass

    def test_msync_makes_a_store_visible_on_the_other_mount(self):
        self.make("mapped", bytes(4 * PAGE))
        mapping = self.map(self.on_a("mapped"), 4 * PAGE)
        other = self.open(self.on_b("mapped"), os.O_RDONLY)
        self.assertEqual(os.pread(other, 5, 0), bytes(5))
        for i in range(3):
            mapping[PAGE * i:PAGE * i + 5] = b"store"
            mapping.flush()
            self.assertEqual(os.pread(other, 5, PAGE * i), b"store")

    def test_a_write_elsewhere_is_visible_in_a_mapping(self):
        self.make("mapped", bytes(2 * PAGE))
        mapping = self.map(self.on_a("mapped"), 2 * PAGE)
        self.assertEqual(mapping[:4], bytes(4))
        for text in (b"one!", b"two!", b"tri!"):
            fd = self.open(self.on_b("mapped"))
            os.pwrite(fd, text, PAGE)
            os.close(fd)
            self.assertEqual(mapping[PAGE:PAGE + 4], text)

    def test_a_store_does_not_undo_what_another_mount_wrote_beside_it(self):
        self.make("mapped", bytes(PAGE))
        mapping = self.map(self.on_a("mapped"), PAGE)
        mapping[0:4] = b"mine"
        mapping.flush()
        fd = self.open(self.on_b("mapped"))
        os.pwrite(fd, b"their", 100)
        mapping[8:12] = b"more"
        mapping.flush()
        self.assertEqual(os.pread(fd, 4, 0), b"mine")
        self.assertEqual(os.pread(fd, 4, 8), b"more")
        self.assertEqual(os.pread(fd, 5, 100), b"their")

    def test_private_mapping_changes_nothing(self):
        path = self.make("mapped", b"original" + bytes(PAGE))
        mapping = self.map(path, PAGE, access=mmap.ACCESS_COPY)
        mapping[:4] = b"copy"
        with open(self.on_b("mapped"), "rb") as other:
            self.assertEqual(other.read(8), b"original")

    def sigbus_after(self, truncate):
        """A child that maps 4 pages, has them truncated, and touches the last."""
        self.make("mapped", b"x" * 4 * PAGE)

        def touch(started):
            fd = os.open(self.on_a("mapped"), os.O_RDWR)
            mapping = mmap.mmap(fd, 4 * PAGE)
            if mapping[3 * PAGE] != 120:
                return "wrong content"
            truncate(fd)
            started()
            signal.signal(signal.SIGBUS, signal.SIG_DFL)
            return mapping[3 * PAGE]

        child = self.child(touch)
        self.assertTrue(child.wait_started())
        self.assertTrue(child.ended(10))
        self.assertTrue(os.WIFSIGNALED(child.status), "old data was read instead")
        self.assertEqual(os.WTERMSIG(child.status), signal.SIGBUS)

    def test_truncation_under_a_mapping_is_SIGBUS(self):
        self.sigbus_after(lambda fd: os.ftruncate(fd, PAGE))

    def test_truncation_elsewhere_under_a_mapping_is_SIGBUS(self):
        self.sigbus_after(lambda fd: os.truncate(self.on_b("mapped"), PAGE))

    def test_what_is_past_the_end_of_a_grown_file_is_zero(self):
        self.make("mapped", b"x" * 2 * PAGE)
        mapping = self.map(self.on_a("mapped"), 2 * PAGE)
        os.truncate(self.on_a("mapped"), PAGE + 100)
        mapping[PAGE + 100:PAGE + 200] = b"y" * 100  # past the end, inside its page
        mapping.flush()
        os.truncate(self.on_a("mapped"), 2 * PAGE)
        with open(self.on_b("mapped"), "rb") as other:
            self.assertEqual(other.read()[PAGE + 100:], bytes(PAGE - 100))

    def test_direct_and_cached_reads_see_the_same(self):
        path = self.make("direct", b"a" * 65536)
        cached = self.open(path)
        direct = self.open(path, os.O_RDWR | os.O_DIRECT)
        buffer = mmap.mmap(-1, 8192)
        buffer[:] = b"d" * 8192
        self.assertEqual(os.pread(cached, 3, 16384), b"aaa")
        self.assertEqual(os.pwritev(direct, [buffer], 16384), 8192)
        self.assertEqual(os.pread(cached, 3, 16384), b"ddd")
        os.pwrite(cached, b"c" * 4096, 0)
        self.assertEqual(os.preadv(direct, [buffer], 0), 8192)
        self.assertEqual(buffer[:4097], b"c" * 4096 + b"a")

    @unittest.skipIf(LOCAL, "ext4 wants whole sectors")
    def test_unaligned_direct_io_works(self):
        path = self.make("direct", b"a" * 10_000)
        fd = self.open(path, os.O_RDWR | os.O_DIRECT)
        self.assertEqual(os.pwrite(fd, b"unaligned", 4093), 9)
        self.assertEqual(os.pread(fd, 11, 4092), b"aunaligneda")


class Execution(MountTest):
    def setUp(self):
        super().setUp()
        self.program = self.on_a("program")
        shutil.copy("/bin/sleep", self.program)
        os.chmod(self.program, 0o755)

    def test_executables_and_scripts_run(self):
        self.make("script", b"#!/bin/sh\necho $0 $1\n", 0o755)
        for place in (self.on_a, self.on_b):
            self.assertEqual(subprocess.run([place("program"), "0"], check=False).returncode, 0)
            said = subprocess.run([place("script"), "x"], check=True, capture_output=True).stdout
            self.assertEqual(said.decode().split(), [place("script"), "x"])

    def test_a_changed_program_runs_as_changed(self):
        self.make("script", b"#!/bin/sh\nexit 3\n", 0o755)
        self.assertEqual(subprocess.run([self.on_b("script")], check=False).returncode, 3)
        with open(self.on_a("script"), "wb") as file:
            file.write(b"#!/bin/sh\nexit 4\n")
        self.assertEqual(subprocess.run([self.on_b("script")], check=False).returncode, 4)

    def test_running_program_cannot_be_written_on_its_host(self):
        process = subprocess.Popen([self.program, "60"])
        try:
            self.assertFails(errno.ETXTBSY, os.open, self.program, os.O_WRONLY)
            self.assertFails(errno.ETXTBSY, os.truncate, self.program, 0)
            os.unlink(self.on_b("program"))  # it goes on
            self.assertIsNone(process.poll())
        finally:
            process.kill()
            process.wait()

    def test_program_open_for_writing_cannot_be_run(self):
        fd = self.open(self.program, os.O_WRONLY)
        with self.assertRaises(OSError) as failure:
            subprocess.run([self.program, "0"], check=False)
        self.assertEqual(failure.exception.errno, errno.ETXTBSY)
        os.close(fd)
        subprocess.run([self.program, "0"], check=True)

    def test_execute_permission_is_needed(self):
        os.chmod(self.program, 0o644)
        with self.assertRaises(PermissionError):
            subprocess.run([self.program, "0"], check=False)


class MappedThreads(MountTest):
    def test_msync_while_others_write_loses_nothing(self):
        pages = 32
        self.make("mapped", bytes(pages * PAGE))
        fd = self.open(self.on_a("mapped"))
        mapping = mmap.mmap(fd, pages * PAGE)

        def store(first):
            for page in range(first, pages, 4):
                mapping[page * PAGE:page * PAGE + 8] = b"page%04d" % page
                mapping.flush(page * PAGE, PAGE)  # one msync per page, as databases do

        threads = [threading.Thread(target=store, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with open(self.on_b("mapped"), "rb") as other:
            data = other.read()
        for page in range(pages):
            self.assertEqual(data[page * PAGE:page * PAGE + 8], b"page%04d" % page)
        mapping.close()


if __name__ == "__main__":
    unittest.main()
