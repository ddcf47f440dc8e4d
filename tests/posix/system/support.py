"""What the tests in this folder share: two mounts of one file system, children, calls Python lacks.

Environment: TARN_MOUNT_A and TARN_MOUNT_B, two mounts of the same file system; TARN_TEST_DIRECTORY
is set if they are a local directory instead, whose lower limits then count; TARN_TEST_LONG.
"""

import ctypes
import errno
import fcntl
import os
import pickle
import resource
import select
import shutil
import signal
import struct
import tempfile
import traceback
import unittest

MOUNT_A = os.environ["TARN_MOUNT_A"]
MOUNT_B = os.environ["TARN_MOUNT_B"]
LOCAL = bool(os.environ.get("TARN_TEST_DIRECTORY"))
LONG = bool(os.environ.get("TARN_TEST_LONG"))

libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    """The result of a libc call that sets errno, or the OSError."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def readable(fd, seconds):
    """Whether `fd` can be read, or is at its end, within that time."""
    poll = select.poll()  # select() knows descriptors up to 1023 only
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(int(seconds * 1000)))


# A thousand children have two pipes each.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


class Child:
    """A forked process that runs a function, for tests of what blocks, conflicts or dies."""

    def __init__(self, function, *arguments, uid=0, gid=0, groups=()):
        reader, writer = os.pipe()
        self.started, started = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(reader)
                os.close(self.started)
                if uid != 0:
                    os.setgroups(list(groups))
                    os.setresgid(gid, gid, gid)
                    os.setresuid(uid, uid, uid)
                try:
                    outcome = (function(*arguments, lambda: os.write(started, b"1")), None)
                except OSError as error:
                    outcome = (None, error.errno)
                os.write(writer, pickle.dumps(outcome))
                status = 0
            except BaseException:  # pylint: disable=broad-except
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writer)
        os.close(started)
        self.reader = reader
        self.status = None

    def wait_started(self, seconds=20):
        """Until the function calls what it is given as its last argument."""
        return readable(self.started, seconds) and os.read(self.started, 1) == b"1"

    def ended(self, seconds):
        """Whether it ends within that time."""
        if self.status is not None:
            return True
        pidfd = os.pidfd_open(self.pid)
        ready = readable(pidfd, seconds)
        os.close(pidfd)
        if ready:
            self.status = os.waitpid(self.pid, 0)[1]
        return bool(ready)

    def outcome(self, seconds=30):
        """(result, errno or None). Raises if it does not end in time, or ends without saying."""
        if not readable(self.reader, seconds):
            raise AssertionError("the child does not end")
        said = os.read(self.reader, 65536)
        if not said:
            self.ended(5)
            raise AssertionError(f"the child ended with status {self.status}")
        return pickle.loads(said)

    def kill(self, number=signal.SIGKILL):
        if self.status is None:
            os.kill(self.pid, number)

    def close(self):
        self.kill()
        self.ended(5)
        os.close(self.reader)
        os.close(self.started)


class MountTest(unittest.TestCase):
    """A new directory for each test: self.a is its path on one mount, self.b on the other."""

    def setUp(self):
        self.a = tempfile.mkdtemp(prefix=self._testMethodName[:60] + "-", dir=MOUNT_A)
        self.b = os.path.join(MOUNT_B, os.path.basename(self.a))
        os.chmod(self.a, 0o755)
        self.addCleanup(shutil.rmtree, self.a, ignore_errors=True)

    def on_a(self, name):
        return os.path.join(self.a, name)

    def on_b(self, name):
        return os.path.join(self.b, name)

    def child(self, function, *arguments, **identity):
        child = Child(function, *arguments, **identity)
        self.addCleanup(child.close)
        return child

    def make(self, name, content=b"", mode=0o644):
        """A file; returns its path on the first mount."""
        path = self.on_a(name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def open(self, path, flags=os.O_RDWR, mode=0o644):
        fd = os.open(path, flags, mode)
        self.addCleanup(self.close_quietly, fd)
        return fd

    @staticmethod
    def close_quietly(fd):
        try:
            os.close(fd)
        except OSError:
            pass

    def assertFails(self, wanted, function, *arguments, **named):
        """`wanted` is an errno or several."""
        numbers = wanted if isinstance(wanted, tuple) else (wanted,)
        names = "/".join(errno.errorcode[number] for number in numbers)
        try:
            function(*arguments, **named)
        except OSError as error:
            self.assertIn(error.errno, numbers,
                          f"not {names} but {errno.errorcode.get(error.errno)}")
        else:
            self.fail(f"{names} was expected, but it succeeded")


# ---- record locks as struct flock, which fcntl.lockf does not show in full ---------------------

F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW = 36, 37, 38
FLOCK = struct.Struct("hhqqi4x")


def set_lock(fd, kind, start=0, length=0, command=fcntl.F_SETLK):
    fcntl.fcntl(fd, command, FLOCK.pack(kind, os.SEEK_SET, start, length, 0))


def get_lock(fd, kind, start=0, length=0, command=fcntl.F_GETLK):
    """(type, start, length, pid) of what is in the way; type F_UNLCK: nothing."""
    answer = fcntl.fcntl(fd, command, FLOCK.pack(kind, os.SEEK_SET, start, length, 0))
    found, _, at, size, pid = FLOCK.unpack(answer)
    return found, at, size, pid
