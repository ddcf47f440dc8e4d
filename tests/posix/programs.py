"""Runs programs that people really use on a mounted directory, and says which of them noticed.

Usage: programs.py [--quick] [--only GLOB]… [--seconds N] [--jobs N] [--list] MOUNT [OTHER_MOUNT]

OTHER_MOUNT is another mount of the same file system: checks with several workers use both.
The checks are in program_checks.py. A program that is not installed fails its checks: everything
comes from Debian packages (deploy/install-deps --test), so nothing is passed over in silence.
Exit status: 0 all passed, 1 something failed.
"""

import argparse
import concurrent.futures
import fnmatch
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import program_checks


class Place:
    """Where a check runs: a new directory on the mount, as each mount names it, and one off it."""

    def __init__(self, mounts, name, seconds, deadline):
        stem = name.replace("/", "-")
        # Off the mount; short, for sockets are in it.
        self.scratch = tempfile.mkdtemp(prefix="tarn-programs.")
        os.chmod(self.scratch, 0o755)
        self.dir = tempfile.mkdtemp(prefix=stem + "-", dir=mounts[0])
        os.chmod(self.dir, 0o755)
        self.dirs = [os.path.join(mount, os.path.basename(self.dir)) for mount in mounts]
        self.seconds = seconds
        self.deadline = deadline
        self.env = dict(os.environ, LC_ALL="C.UTF-8", TMPDIR=self.dir, HOME=self.scratch)

    @staticmethod
    def kill_group(process):
        """A process made by start() leads a group of its own, which holds all that it started."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def start(self, *command, **options):
        """A process whose output goes to a file off the mount: see output()."""
        log = tempfile.NamedTemporaryFile(dir=self.scratch, prefix="log-", delete=False)
        options.setdefault("cwd", self.scratch)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, env=self.env,
                                   stderr=subprocess.STDOUT, start_new_session=True, **options)
        process.log = log.name
        return process

    def finish(self, process, ok=(0,)):
        """Waits for a process, within the check's time; returns what it said."""
        try:
            status = process.wait(max(1, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill_group(process)
            raise program_checks.Failed(f"{process.args[0]} does not end") from None
        with open(process.log, errors="replace") as log:
            text = log.read()
        if status not in ok:
            raise program_checks.Failed(f"{process.args[0]} ended with {status}: {telling(text)}")
        return text

    def run(self, *command, ok=(0,), **options):
        return self.finish(self.start(*command, **options), ok)

    def shell(self, script, **options):
        return self.run("bash", "-euo", "pipefail", "-c", script, **options)

    def remove(self):
        for directory in (self.dir, self.scratch):
            subprocess.run(["rm", "-rf", "--one-file-system", directory], timeout=120, check=False)


def telling(text):
    """The lines of a program's output that most likely say what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wanted = [line for line in lines
              if any(word in line for word in ("FAIL", "fail", "rror", "verify", "mismatch"))]
    return " | ".join((wanted or lines)[-3:])[:400]


def run_check(check, mounts, seconds):
    """(name, reason or None, seconds it took)."""
    start = time.monotonic()
    for program in check.needs:
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            return check.name, f"{program} is not installed", 0
    place = Place(mounts, check.name, seconds, start + check.limit)
    try:
        check.run(place)
        reason = None
    except program_checks.Failed as failure:
        reason = str(failure)
    except Exception as failure:  # pylint: disable=broad-except
        reason = f"{type(failure).__name__}: {failure}"
    place.remove()
    return check.name, reason, time.monotonic() - start


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("mounts", nargs="+", metavar="MOUNT")
    parser.add_argument("--quick", action="store_true", help="a selection of about 90 s")
    parser.add_argument("--only", action="append", default=[], metavar="GLOB")
    parser.add_argument("--seconds", type=int, default=5, help="for each timed load (5)")
    parser.add_argument("--jobs", type=int, default=2, help="checks at a time (2)")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    return parser.parse_args()


def main():
    options = parse()
    checks = [check for check in program_checks.CHECKS if check.quick or not options.quick]
    if options.only:
        checks = [check for check in checks
                  if any(fnmatch.fnmatch(check.name, glob) for glob in options.only)]
    if options.list:
        print("\n".join(check.name for check in checks))
        return 0
    seconds = 1 if options.quick else options.seconds
    mounts = [os.path.abspath(mount) for mount in options.mounts]
    failures = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        # The longest first, so that none is left alone at the end.
        order = sorted(checks, key=lambda check: -check.weight)
        for running in concurrent.futures.as_completed(
                [pool.submit(run_check, check, mounts, seconds) for check in order]):
            name, reason, took = running.result()
            print(f"{'ok  ' if reason is None else 'FAIL'} {name} ({took:.1f} s)"
                  + (f": {reason}" if reason else ""), flush=True)
            if reason is not None:
                failures.append(f"{name}: {reason}")
    for failure in sorted(failures):
        print("FAILED", failure)
    print(f"{len(checks) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
