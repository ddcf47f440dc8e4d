"""Checks with databases: SQLite shared by processes, PostgreSQL through a crash."""

import glob
import os
import sqlite3

from program_checks import Failed, PYTHON, check

SQLITE_WORKER = """
import sqlite3, sys, time
database, rounds, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
connection = sqlite3.connect(database, timeout=60, isolation_level=None)
connection.execute("pragma journal_mode=" + mode)
for _ in range(rounds):
    while True:
        try:
            connection.execute("begin immediate")
            connection.execute("update counter set value = value + 1")
            connection.execute("insert into filler values (randomblob(500))")
            connection.execute("commit")
            break
        except sqlite3.OperationalError as error:
            if connection.in_transaction:
                connection.execute("rollback")
            if "locked" not in str(error) and "busy" not in str(error):
                raise
            time.sleep(0.01)
"""


def sqlite_workers(place, mode, dirs):
    rounds = 15 if place.seconds < 2 else 50
    connection = sqlite3.connect(place.dir + "/shared.db")
    connection.execute("pragma journal_mode=" + mode)
    connection.executescript("create table counter (value int); insert into counter values (0);"
                             "create table filler (bytes)")
    connection.close()
    workers = [place.start(PYTHON, "-c", SQLITE_WORKER, directory + "/shared.db", str(rounds), mode)
               for directory in dirs]
    for worker in workers:
        place.finish(worker)
    connection = sqlite3.connect(place.dir + "/shared.db")
    value, = connection.execute("select value from counter").fetchone()
    rows, = connection.execute("select count(*) from filler").fetchone()
    health, = connection.execute("pragma integrity_check").fetchone()
    connection.close()
    if not value == rows == rounds * len(workers) or health != "ok":
        raise Failed(f"counter {value}, rows {rows}, expected {rounds * len(workers)}; {health}")


@check("sqlite/rollback-journal", [PYTHON], quick=True)
def sqlite_rollback(place):
    sqlite_workers(place, "delete", (place.dirs * 4)[:4])


@check("sqlite/wal-one-mount", [PYTHON], quick=True)
def sqlite_wal(place):
    # The write-ahead log's index is shared memory: one host only, as SQLite itself says.
    sqlite_workers(place, "wal", [place.dir] * 4)


class Postgres:
    """A cluster of its own, run as user postgres, without a TCP port."""

    def __init__(self, place):
        self.place = place
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.data = place.dir + "/data"
        self.socket = place.scratch + "/socket"
        place.run("install", "-d", "-o", "postgres", "-m", "700", self.data, self.socket)

    def run(self, program, *arguments):
        return self.place.run("runuser", "-u", "postgres", "--", f"{self.bin}/{program}",
                              *arguments)

    def start(self):
        self.run("pg_ctl", "-w", "-t", "60", "-D", self.data, "-l", self.socket + "/log", "-o",
                 f"-c listen_addresses= -k {self.socket}", "start")

    def stop(self, mode):
        if os.path.exists(self.data + "/postmaster.pid"):
            self.run("pg_ctl", "-w", "-D", self.data, "-m", mode, "stop")

    def ask(self, sql):
        return self.run("psql", "-h", self.socket, "-Atqc", sql, "postgres").strip()


@check("postgres/pgbench", ["pg_ctlcluster", "runuser"], quick=True, weight=20)
def postgres(place):
    server = Postgres(place)
    server.run("initdb", "-k", "-D", server.data)
    try:
        server.start()
        server.run("pgbench", "-h", server.socket, "-q", "-i", "-s",
                   "1" if place.seconds < 2 else "3", "postgres")
        server.run("pgbench", "-h", server.socket, "-c", "4", "-T", str(2 * place.seconds),
                   "postgres")
        # As a crash: the log is replayed at the next start.
        server.stop("immediate")
        server.start()
        server.ask("create extension if not exists amcheck")
        server.run("pg_amcheck", "-h", server.socket, "postgres")
        balanced = server.ask("select (select sum(abalance) from pgbench_accounts)"
                              " = (select sum(delta) from pgbench_history)")
        if balanced != "t":
            raise Failed("accounts and history differ after the crash")
        server.stop("fast")
        server.run("pg_checksums", "-c", "-D", server.data)
    finally:
        server.stop("immediate")
