# SPDX-License-Identifier: Apache-2.0
"""PgBouncer in transaction mode before the PostgreSQL of this process."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.postgres import GROUP, PASSWORD, USER, cluster, free_port, listens
from tests.world import eventually

IS_INSTALLED = shutil.which("pgbouncer") is not None


class Pooler:
    """Three sessions for all who ask, to each database."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="bouncer-"))
        (self._folder / "users").write_text(f'"postgres" "{PASSWORD}"\n')
        (self._folder / "ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={cluster().port}\n[pgbouncer]\nauth_type=trust\n"
            f"listen_addr=127.0.0.1\nlisten_port={self.port}\nauth_file={self._folder}/users\n"
            "unix_socket_dir=\npool_mode=transaction\ndefault_pool_size=3\nmax_client_conn=300\n"
        )
        for path in (self._folder, self._folder / "users", self._folder / "ini"):
            path.chmod(0o755)
        self._process = subprocess.Popen(
            ["pgbouncer", "-q", str(self._folder / "ini")],
            user=USER, group=GROUP, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        atexit.register(self.stop)
        eventually(lambda: listens(self.port))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


@cache
def pooler() -> Pooler:
    """The one of this process."""
    return Pooler()
