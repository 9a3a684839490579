# SPDX-License-Identifier: Apache-2.0
"""Through PgBouncer in transaction mode, which gives every transaction another session."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt.store.database import Database
from gitprompt.store.tables.rollups import RollupRebuild
from gitprompt.store.tables.rows import Tally
from tests.postgres import GROUP, PASSWORD, USER, cluster, name_of
from tests.store.stored import new_log, new_spans, new_trace, statistics_of
from tests.world import eventually

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="pgbouncer is not installed"),
]


@pytest.fixture
def pooled(url: str) -> Iterator[str]:
    """The URL of an empty database behind a pooler that has three sessions for all."""
    folder = Path("/tmp") / f"bouncer-{name_of(url)}"
    folder.mkdir(mode=0o755)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    (folder / "users").write_text(f'"postgres" "{PASSWORD}"\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={cluster().port}\n[pgbouncer]\nauth_type=trust\n"
        f"listen_addr=127.0.0.1\nlisten_port={port}\nauth_file={folder}/users\nunix_socket_dir=\n"
        "pool_mode=transaction\ndefault_pool_size=3\nmax_client_conn=100\n"
    )
    for path in (folder, folder / "users", folder / "ini"):
        path.chmod(0o755)
    pooler = subprocess.Popen(
        ["pgbouncer", "-q", str(folder / "ini")], user=USER, group=GROUP, stderr=subprocess.DEVNULL
    )
    try:

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        eventually(listens)
        yield cluster().url(name_of(url), port=port)
    finally:
        pooler.terminate()
        pooler.wait()
        shutil.rmtree(folder)


def test_nodes_behind_a_pooler_store_and_count_all(pooled: str) -> None:
    nodes = [Database(pooled) for _ in range(3)]

    def send(node: int) -> None:
        for number in range(40):
            nodes[node].write_now(new_log(log_id=f"{node}-{number}", tokens_in=1))
        nodes[node].write_now(new_trace(f"t{node}"))
        nodes[node].write_now(new_spans(f"t{node}", *(f"s{at}" for at in range(100)), tokens_in=1))

    threads = [threading.Thread(target=send, args=(node,)) for node in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in nodes:
        assert one.read_now(Tally("default", "log")) == 120
        assert statistics_of(one)[0].calls == 420
    nodes[0].write_now(RollupRebuild(0))
    assert statistics_of(nodes[1])[0].calls == 420
    for one in nodes:
        one.close()
