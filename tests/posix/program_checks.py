"""The checks of programs.py: what each program does on the mount, and when it is content.

A check is a function of a Place that raises Failed. Databases are in program_databases.py.
"""

import dataclasses
import os
import re
import typing

PYTHON = "/usr/bin/python3"  # Debian's own: its test suite is the package libpython3.11-testsuite


class Failed(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Check:
    name: str
    run: typing.Callable
    needs: tuple = ()
    quick: bool = False
    limit: float = 300  # seconds
    weight: float = 1  # about how long it takes


CHECKS = []


def check(name, needs=(), quick=False, limit=300, weight=3):
    """Adds the decorated function to CHECKS."""

    def add(function):
        CHECKS.append(Check(name, function, tuple(needs), quick, limit, weight))
        return function

    return add


# ---- the Python standard library's own tests of files ------------------------------------------

PYTHON_QUICK = """posix shutil tempfile mmap mailbox dbm_dumb fileio fcntl filecmp tarfile
glob""".split()
PYTHON_ALL = """os pathlib zipfile dbm io file largefile posixpath genericpath stat fileinput gzip
bz2 lzma shelve zipimport import py_compile subprocess unicode_file unicode_file_functions netrc
linecache mimetypes runpy venv http_cookiejar logging""".split()


def python_module(module):
    def run(place):
        # Status 3 is "all of it was skipped", which is a matter of this machine.
        place.run(PYTHON, "-m", "test", "--tempdir", place.dir, "-u",
                  "largefile,-gui,-network,-cpu", "test_" + module, ok=(0, 3))

    return run


for _module in PYTHON_QUICK + PYTHON_ALL:
    check("python/" + _module, [PYTHON], _module in PYTHON_QUICK)(python_module(_module))


# ---- stress-ng's file stressors ----------------------------------------------------------------

STRESS_QUICK = """access dentry dir fallocate fcntl flock fsize getdent hdd link lockf lockofd msync
rename seek sendfile symlink utime xattr""".split()
STRESS_ALL = """chattr chdir chmod chown copy-file dirdeep dirmany filename fpunch fstat handle
inotify iomix lease locka mknod mmapfork open readahead revio sync-file touch aio""".split()


def stressor(name):
    def run(place):
        # 3: not implemented here, 4: no resources (for an unprivileged or odd machine).
        output = place.run("stress-ng", "--temp-path", place.dir, "--" + name, "2", "--verify",
                           "--oomable", "--timeout", str(place.seconds), cwd=place.dir,
                           ok=(0, 3, 4))
        if re.search(r"stress-ng: fail", output):
            raise Failed([line for line in output.splitlines() if "fail" in line][0])

    return run


for _name in STRESS_QUICK + STRESS_ALL:
    check("stress-ng/" + _name, ["stress-ng"], _name in STRESS_QUICK)(stressor(_name))


# ---- fio: what was written is read back and verified -------------------------------------------

FIO = {
    "buffered": ["--rw=randwrite", "--ioengine=psync"],
    "direct": ["--rw=randwrite", "--direct=1", "--ioengine=libaio", "--iodepth=8"],
    "mmap": ["--rw=randwrite", "--ioengine=mmap"],
    "mixed-fsync": ["--rw=randrw", "--fsync=16", "--ioengine=psync", "--numjobs=2"],
}


def fio(arguments):
    def run(place):
        size = "16m" if place.seconds < 2 else "64m"
        place.run("fio", "--name=verify", "--directory=" + place.dir, "--size=" + size, "--bs=4k",
                  "--verify=crc32c", "--verify_fatal=1", "--do_verify=1", *arguments)

    return run


for _name, _arguments in FIO.items():
    check("fio/" + _name, ["fio"], True)(fio(_arguments))


# ---- loads and trees ---------------------------------------------------------------------------

@check("dbench/4", ["dbench"], quick=True)
def dbench(place):
    output = place.run("dbench", "-D", place.dir, "-t", str(place.seconds), "-c",
                       "/usr/share/dbench/client.txt", "4")
    if "Throughput" not in output:
        raise Failed("no result")


@check("bonnie/small", ["bonnie++"], quick=True, weight=8)
def bonnie(place):
    place.run("bonnie++", "-q", "-u", "root", "-d", place.dir, "-s", "32", "-r", "16", "-n",
              "1:4096:1:2", "-x", "1", "-f")


def source_tree(place):
    """A directory of the machine's own to copy: some thousand files, links among them."""
    return "/usr/lib/python3" if place.seconds > 1 else "/usr/lib/python3.11/test"


@check("tar/round-trip", ["tar"], quick=True, weight=6)
def tar_round_trip(place):
    place.shell(f"""cd {source_tree(place)}
        tar cf - . | tar xpf - -C {place.dir}
        diff -r --no-dereference . {place.dir}
        tar df <(tar cf - .) -C {place.dir}""")


@check("rsync/round-trip", ["rsync"], quick=True, weight=6)
def rsync_round_trip(place):
    source, target = source_tree(place) + "/", place.dir + "/x/"
    place.run("rsync", "-aHAX", "--delete", source, target)
    again = place.run("rsync", "-aHAX", "--checksum", "--delete", "-ni", source, target)
    if again.strip():
        raise Failed("a second run would change " + again.splitlines()[0])
    place.run("rsync", "-a", "--inplace", "-I", source, target)
    place.run("diff", "-r", "--no-dereference", source, target)


@check("make/incremental", ["make", "cc"], quick=True, weight=4)
def make_incremental(place):
    count = 20 if place.seconds < 2 else 120
    os.makedirs(place.dir, exist_ok=True)
    for i in range(count):
        with open(f"{place.dir}/f{i}.c", "w", encoding="ascii") as source:
            source.write(f"int f{i}(int x) {{ return x + {i}; }}\n")
    with open(f"{place.dir}/main.c", "w", encoding="ascii") as source:
        source.write("".join(f"int f{i}(int);\n" for i in range(count)))
        source.write("int main(void) { int s = 0;\n")
        source.write("".join(f"s += f{i}(1);\n" for i in range(count)))
        source.write(f"return s != {count + count * (count - 1) // 2}; }}\n")
    with open(f"{place.dir}/Makefile", "w", encoding="ascii") as makefile:
        makefile.write("O = $(patsubst %.c,%.o,$(wildcard f*.c))\nall: prog\n"
                       "lib.a: $(O)\n\tar rcs $@ $^\n"
                       "prog: main.c lib.a\n\t$(CC) -o $@ main.c lib.a\n"
                       "%.o: %.c\n\t$(CC) -c -o $@ $<\n")
    # Time stamps order what was made: nothing is left to do, until something is touched.
    place.shell("make -s -j4; ./prog; make -q all; touch f7.c; ! make -q all; make -s -j4; "
                "make -q all; ./prog", cwd=place.dir)


# ---- git ---------------------------------------------------------------------------------------

GIT_ENVIRONMENT = """
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@x GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@x
"""
# Once for each check: git refuses a second process that changes the user's configuration meanwhile.
GIT_SETUP = GIT_ENVIRONMENT + """
git config --global init.defaultBranch main
git config --global --replace-all safe.directory '*'
"""


@check("git/life", ["git"], quick=True, weight=8)
def git_life(place):
    commits = 20 if place.seconds < 2 else 60
    place.shell(GIT_SETUP + f"""
        git init -q r; cd r
        for i in $(seq {commits}); do
          mkdir -p d$((i % 7)); seq $i $((i * 40)) >d$((i % 7))/f$i; git add -A; git commit -q -m $i
        done
        git checkout -q -b side HEAD~10
        for i in 1 2 3; do echo $i >s$i; git add .; git commit -q -m s$i; done
        git rebase -q main
        git gc -q --prune=now; git fsck --full --strict
        git clone -q --no-hardlinks . ../copy; git clone -q . ../linked
        cd ../copy; git fsck --full; test -z "$(git status --porcelain)"
        git worktree add -q ../tree HEAD~3; cd ../tree; test -z "$(git status --porcelain)"
        cd ../r; touch d1/*; test -z "$(git status --porcelain)"
        git repack -qadf; git multi-pack-index write; git commit-graph write; git fsck --full""",
                cwd=place.dir)


@check("git/two-pushers", ["git"], quick=True, weight=12)
def git_two_pushers(place):
    pushes = 4 if place.seconds < 2 else 15
    place.shell(GIT_SETUP + f"""
        git init -q --bare {place.dir}/bare.git
        git clone -q {place.dir}/bare.git first; cd first
        git commit -q --allow-empty -m 0; git push -q origin main""")
    dirs = (place.dirs * 2)[:2] if len(place.dirs) == 1 else place.dirs
    pushers = [place.start("bash", "-euo", "pipefail", "-c", GIT_ENVIRONMENT + f"""
        git clone -q {directory}/bare.git pusher{n}; cd pusher{n}
        for i in $(seq {pushes}); do
          echo {n} $i >f{n}-$i; git add .; git commit -q -m {n}.$i
          tries=0
          until git pull -q --rebase && git push -q; do
            ((++tries < 60)) || exit 7
            sleep 0.$((RANDOM % 5))
          done
        done""") for n, directory in enumerate(dirs)]
    for pusher in pushers:
        place.finish(pusher)
    place.run("git", "fsck", "--full", cwd=place.dir + "/bare.git")
    count = int(place.run("git", "rev-list", "--count", "main", cwd=place.dir + "/bare.git"))
    if count != 1 + pushes * len(dirs):
        raise Failed(f"{count} commits arrived, not {1 + pushes * len(dirs)}")


# ---- ctdb's ping_pong: locks, and data under locks ---------------------------------------------

def ping_pong(place, *options):
    """What each of four players (two on each mount) said."""
    players = [place.start("timeout", "-s", "INT", str(place.seconds + 3), "ping_pong", *options,
                           directory + "/pp", str(2 * len(place.dirs) + 1))
               for directory in place.dirs * 2]
    said = [place.finish(player, ok=(0, 124, 130)) for player in players]
    for text in said:
        if re.search("fail|error", text, re.I):
            raise Failed(text.strip()[-200:])
    return said


@check("ping-pong/locks", ["ping_pong"], quick=True, weight=5)
def ping_pong_locks(place):
    if not all("locks/sec" in text for text in ping_pong(place)):
        raise Failed("no rate was reported")


@check("ping-pong/data", ["ping_pong"], quick=True, weight=5)
def ping_pong_data(place):
    said = ping_pong(place, "-rw")
    seen = [int(n) for text in said for n in re.findall(r"data increment = (\d+)", text)]
    # Each player adds one between two turns of another: everybody sees everybody's increments.
    if max(seen, default=0) != len(said):
        raise Failed(f"an increment of {max(seen, default=0)} among {len(said)} players")


import program_databases  # noqa: E402,F401  pylint: disable=wrong-import-position,unused-import
