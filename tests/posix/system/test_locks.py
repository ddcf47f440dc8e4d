"""Record locks and flock between processes of one mount and of two."""

import errno
import fcntl
import os
import signal
import time
import unittest

from support import F_OFD_GETLK, F_OFD_SETLK, MountTest, get_lock, readable, set_lock

RD, WR, UN = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
AT_ONCE = 3.0  # seconds, on a busy machine


def wait_for_lock(path, start, started):
    """Blocks until [start, start + 1) is ours; returns when that was."""
    fd = os.open(path, os.O_RDWR)
    started()
    set_lock(fd, WR, start, 1, fcntl.F_SETLKW)
    return time.monotonic()


def hold_lock(path, start, started):
    fd = os.open(path, os.O_RDWR)
    set_lock(fd, WR, start, 1)
    started()
    signal.pause()


def is_blocked(child):
    """True once the child sleeps in its lock request; false if it ended instead."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if child.ended(0.02):
            return False
        try:
            with open(f"/proc/{child.pid}/syscall", encoding="ascii") as file:
                number = file.read().split()[0]
        except OSError:
            return False
        if number == "72":  # fcntl, on x86-64
            return True
        if number not in ("running",) and not number.isdigit():
            return True
    return False


class RecordLocks(MountTest):
    def setUp(self):
        super().setUp()
        self.make("locked", bytes(100))

    def test_conflict_between_mounts_is_EAGAIN_and_shown(self):
        holder = self.child(hold_lock, self.on_a("locked"), 10)
        self.assertTrue(holder.wait_started())
        fd = self.open(self.on_b("locked"))
        self.assertFails((errno.EAGAIN, errno.EACCES), set_lock, fd, WR, 0, 0)
        found, start, length, pid = get_lock(fd, RD, 0, 0)
        self.assertEqual((found, start, length, pid), (WR, 10, 1, holder.pid))
        set_lock(fd, WR, 0, 10)
        set_lock(fd, WR, 11, 0)

    def test_locks_split_and_merge(self):
        fd = self.open(self.on_a("locked"))
        set_lock(fd, WR, 0, 30)
        set_lock(fd, UN, 10, 10)
        set_lock(fd, RD, 25, 10)

        def look(_):
            other = os.open(self.on_b("locked"), os.O_RDWR)
            return [get_lock(other, WR, start, 1)[:3] for start in (0, 15, 20, 25, 40)]

        result, error = self.child(look).outcome()
        self.assertIsNone(error)
        self.assertEqual(result[0], (WR, 0, 10))
        self.assertEqual(result[1][0], UN)
        self.assertEqual(result[2], (WR, 20, 5))
        self.assertEqual(result[3], (RD, 25, 10))
        self.assertEqual(result[4][0], UN)

    def test_closing_any_descriptor_drops_the_locks_of_the_process(self):
        fd = self.open(self.on_a("locked"))
        set_lock(fd, WR)
        os.close(os.open(self.on_a("locked"), os.O_RDONLY))
        self.assertEqual(get_lock(self.open(self.on_b("locked")), WR)[0], UN)

    def test_waiter_gets_the_lock_when_it_is_released(self):
        fd = self.open(self.on_a("locked"))
        set_lock(fd, WR)
        waiter = self.child(wait_for_lock, self.on_b("locked"), 5)
        self.assertTrue(waiter.wait_started() and is_blocked(waiter))
        set_lock(fd, UN)
        released = time.monotonic()
        granted, error = waiter.outcome(AT_ONCE)
        self.assertIsNone(error)
        self.assertLess(granted - released, AT_ONCE)

    def test_waiter_gets_the_lock_when_its_holder_is_killed(self):
        holder = self.child(hold_lock, self.on_a("locked"), 5)
        self.assertTrue(holder.wait_started())
        waiter = self.child(wait_for_lock, self.on_b("locked"), 5)
        self.assertTrue(waiter.wait_started() and is_blocked(waiter))
        holder.kill()
        self.assertIsNone(waiter.outcome(AT_ONCE)[1])

    def test_killed_waiter_dies_at_once_and_leaves_nothing(self):
        fd = self.open(self.on_a("locked"))
        set_lock(fd, WR)
        for path in (self.on_a("locked"), self.on_b("locked")):
            waiter = self.child(wait_for_lock, path, 5)
            self.assertTrue(waiter.wait_started() and is_blocked(waiter))
            waiter.kill()
            self.assertTrue(waiter.ended(AT_ONCE), "a killed waiter still waits")
        set_lock(fd, UN)

        def look(_):
            return get_lock(os.open(self.on_a("locked"), os.O_RDWR), WR)[0]

        self.assertEqual(self.child(look).outcome(), (UN, None))

    def test_signal_interrupts_a_waiter(self):
        fd = self.open(self.on_a("locked"))
        set_lock(fd, WR)

        def wait(started):
            def handler(*_):
                raise InterruptedError(errno.EINTR, "interrupted")
            signal.signal(signal.SIGUSR1, handler)
            return wait_for_lock(self.on_b("locked"), 5, started)

        waiter = self.child(wait)
        self.assertTrue(waiter.wait_started() and is_blocked(waiter))
        waiter.kill(signal.SIGUSR1)
        self.assertEqual(waiter.outcome(AT_ONCE), (None, errno.EINTR))

    def test_cycle_across_mounts_is_EDEADLK(self):
        def hold_and_want(path, first, second, ready, go, started):
            fd = os.open(path, os.O_RDWR)
            set_lock(fd, WR, first, 1)
            os.write(ready, b"1")
            os.read(go, 1)
            started()
            set_lock(fd, WR, second, 1, fcntl.F_SETLKW)
            return "granted"

        ready, ready_writer = os.pipe()
        go, go_writer = os.pipe()
        one = self.child(hold_and_want, self.on_a("locked"), 1, 2, ready_writer, go)
        two = self.child(hold_and_want, self.on_b("locked"), 2, 1, ready_writer, go)
        for _ in range(2):
            self.assertTrue(readable(ready, 10))
            os.read(ready, 1)
        os.write(go_writer, b"12")
        # One is refused; its end gives the other what it waits for.
        outcomes = {one.outcome(10), two.outcome(10)}
        self.assertEqual(outcomes, {(None, errno.EDEADLK), ("granted", None)})
        for fd in (ready, ready_writer, go, go_writer):
            os.close(fd)

    def test_many_blocked_waiters_all_get_their_turn(self):
        count = 1_000
        fd = self.open(self.on_a("locked"))
        set_lock(fd, WR, 5, 1)
        waiters = [self.child(wait_for_lock, (self.on_a, self.on_b)[i % 2]("locked"), 5)
                   for i in range(count)]
        self.assertTrue(all(waiter.wait_started() for waiter in waiters))
        self.assertTrue(is_blocked(waiters[-1]))
        # Meanwhile both mounts go on.
        self.make("other", b"x")
        self.assertEqual(os.stat(self.on_b("other")).st_size, 1)
        for waiter in waiters[::10]:
            waiter.kill()
            self.assertTrue(waiter.ended(AT_ONCE), "a killed waiter still waits")
        set_lock(fd, UN)
        for i, waiter in enumerate(waiters):
            if i % 10 != 0:
                self.assertIsNone(waiter.outcome(60)[1])


class OtherLocks(MountTest):
    def setUp(self):
        super().setUp()
        self.make("locked", bytes(100))

    def test_description_locks_conflict_within_a_process_and_end_with_it(self):
        one, two = self.open(self.on_a("locked")), self.open(self.on_b("locked"))
        set_lock(one, WR, 0, 10, F_OFD_SETLK)
        self.assertFails((errno.EAGAIN, errno.EACCES), set_lock, two, WR, 5, 1, F_OFD_SETLK)
        self.assertEqual(get_lock(two, WR, 0, 1, F_OFD_GETLK)[:3], (WR, 0, 10))
        # Another descriptor's close does not matter, that of the last copy does.
        os.close(os.open(self.on_a("locked"), os.O_RDONLY))
        copy = os.dup(one)
        os.close(one)
        self.assertFails((errno.EAGAIN, errno.EACCES), set_lock, two, WR, 5, 1, F_OFD_SETLK)
        os.close(copy)
        self.becomes_free(lambda: set_lock(two, WR, 5, 1, F_OFD_SETLK))

    def test_description_shows_its_own_locks_to_a_test_for_an_unlock(self):
        one, two = self.open(self.on_a("locked")), self.open(self.on_b("locked"))
        set_lock(one, WR, 0, 10, F_OFD_SETLK)
        try:
            own = get_lock(one, UN, 5, 100, F_OFD_GETLK)
        except OSError as error:
            self.assertEqual(error.errno, errno.EINVAL)
            self.skipTest("Linux before 6.9")
        self.assertEqual(own[:3], (WR, 0, 10))
        self.assertEqual(get_lock(one, UN, 10, 100, F_OFD_GETLK)[0], UN)
        self.assertEqual(get_lock(two, UN, 0, 0, F_OFD_GETLK)[0], UN)

    def test_flock_conflicts_between_mounts_and_not_with_record_locks(self):
        one, two = self.open(self.on_a("locked")), self.open(self.on_b("locked"))
        fcntl.flock(one, fcntl.LOCK_SH)
        fcntl.flock(two, fcntl.LOCK_SH)
        self.assertFails(errno.EAGAIN, fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        set_lock(two, WR)
        fcntl.flock(one, fcntl.LOCK_UN)
        fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.assertFails(errno.EAGAIN, fcntl.flock, one, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(two)
        self.becomes_free(lambda: fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB))

    def becomes_free(self, attempt):
        """Another host hears of a last close a moment after it."""
        deadline = time.monotonic() + AT_ONCE
        while True:
            try:
                return attempt()
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


if __name__ == "__main__":
    unittest.main()
