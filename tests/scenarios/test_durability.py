# SPDX-License-Identifier: Apache-2.0
"""2xx means fsynced: what was acknowledged survives SIGKILL, once; backups, retention, full disks."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gitprompt.errors import SetupError
from gitprompt.store import snapshot
from tests.world import Refused, Server, eventually, run


class Load:
    """Clients that write everything there is, and remember what was acknowledged."""

    def __init__(self, server: Server, number: int) -> None:
        self.url = server.url
        self.headers = {"X-API-Key": server.key()}
        self.number = number
        self.acknowledged: list[tuple[str, Any]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(kind,))
            for kind in (
                self._logs,
                self._traces,
                self._runs,
                self._prompts,
                self._keys,
                self._logs,
            )
        ]

    def run_until(self, kill: Callable[[], object], seconds: float) -> None:
        for thread in self._threads:
            thread.start()
        time.sleep(seconds)
        kill()
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, kind: Callable[[httpx.Client], None]) -> None:
        with httpx.Client(
            base_url=self.url, headers=self.headers, timeout=10, verify=False
        ) as client:
            while not self._stop.is_set():
                try:
                    kind(client)
                except httpx.HTTPError:
                    return

    def _post(self, client: httpx.Client, path: str, body: Any, kind: str, what: Any) -> Any:
        response = client.post(path, json=body)
        assert response.status_code in (201, 202), response.text
        with self._lock:
            self.acknowledged.append((kind, what))
        return response.json()

    def _logs(self, client: httpx.Client) -> None:
        log_id = uuid.uuid4().hex
        body = {"prompt_name": "p", "version_tag": "1", "log_id": log_id, "latency_ms": 7}
        self._post(client, "/v1/logs", body, "log", log_id)

    def _traces(self, client: httpx.Client) -> None:
        trace_id = str(uuid.uuid4())
        self._post(client, "/v1/traces", {"trace_id": trace_id}, "trace", trace_id)
        spans = [{"name": "s", "span_id": str(n)} for n in range(3)]
        self._post(client, f"/v1/traces/{trace_id}/spans", spans, "spans", trace_id)

    def _runs(self, client: httpx.Client) -> None:
        run_id = uuid.uuid4().hex
        self._post(client, "/v1/runs", {"workflow_name": "w", "run_id": run_id}, "run", run_id)

    def _keys(self, client: httpx.Client) -> None:
        body = {"name": uuid.uuid4().hex}
        self._post(client, "/v1/api-keys", body, "key", body["name"])

    def _prompts(self, client: httpx.Client) -> None:
        name = f"crash-{uuid.uuid4().hex}"
        message = {"role": "user", "content": name}
        body = {"name": name, "version": "1.0.0", "messages": [message]}
        self._post(client, "/v1/prompts", body, "prompt", name)
        self._post(client, f"/v1/prompts/{name}/labels", {"name": "live"}, "label", name)


def check(server: Server, acknowledged: list[tuple[str, Any]]) -> None:
    """Everything acknowledged is there, exactly once, with its audit row."""
    with httpx.Client(
        base_url=server.url, headers={"X-API-Key": server.key()}, timeout=30
    ) as client:

        def everything(path: str) -> list[Any]:
            found: list[Any] = []
            cursor: str | None = ""
            while cursor is not None:
                page = client.get(path, params={"limit": 100, "cursor": cursor}).json()
                found += page["items"]
                cursor = page["nextCursor"]
            assert len(found) == page["total"]
            return found

        audited = Counter((row["action"], row["target_id"]) for row in everything("/v1/audit-logs"))
        stored = {
            "log": Counter(item["log_id"] for item in everything("/v1/logs")),
            "trace": Counter(item["trace_id"] for item in everything("/v1/traces")),
            "run": Counter(item["run_id"] for item in everything("/v1/runs")),
            "key": Counter(item["name"] for item in everything("/v1/api-keys")),
            "prompt": Counter(item["name"] for item in everything("/v1/prompts")),
        }
        for kind, what in acknowledged:
            if kind in stored:
                assert stored[kind][what] == 1, (kind, what)
            if kind in ("log", "trace", "run"):
                assert audited[f"{kind}:create", what] == 1, (kind, what)
            if kind == "prompt":
                assert audited["create_prompt", what] == 1, what
            if kind == "label":
                label = client.get(f"/v1/prompts/{what}/labels/live")
                assert label.status_code == 200, what
            if kind == "spans":
                spans = client.get(f"/v1/traces/{what}").json()["spans"]
                assert [span["span_id"] for span in spans] == ["0", "1", "2"]
        pending = client.get("/v1/audit-logs", params={"outcome": "pending"}).json()
        assert pending["total"] == 0


def crash(server: Server, rounds: int) -> None:
    acknowledged: list[tuple[str, Any]] = []
    for number in range(rounds):
        server.start()
        load = Load(server, number)
        load.run_until(lambda: server.stop(signal.SIGKILL), random.uniform(0.3, 1.2))
        acknowledged += load.acknowledged
        server.start()
        check(server, acknowledged)
        server.stop()
    kinds = {kind for kind, _ in acknowledged}
    assert kinds == {"log", "trace", "spans", "run", "key", "prompt", "label"}


def test_what_was_acknowledged_survives_sigkill_once(tmp_path: Path) -> None:
    crash(Server(tmp_path / "data"), 5)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_a_hundred_crashes(tmp_path: Path) -> None:
    for _ in range(10):
        crash(Server(tmp_path / uuid.uuid4().hex), 10)


@pytest.mark.sqlite
def test_there_is_an_fsync_for_each_group_of_commits(tmp_path: Path) -> None:
    if not shutil.which("strace"):
        pytest.skip("strace is not installed (apt-get install strace)")
    server = Server(tmp_path / "data").start()
    try:
        key = server.key()
        assert server.process is not None
        out = tmp_path / "strace.txt"
        tracer = subprocess.Popen(
            ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", out, "-p",
             str(server.process.pid)],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

        def post() -> None:
            body = {"prompt_name": "p", "version_tag": "1"}
            headers = {"X-API-Key": key}
            response = httpx.post(server.url + "/v1/logs", json=body, headers=headers, timeout=30)
            assert response.status_code == 202

        def seen() -> int:
            return out.read_text().count("sync(") if out.exists() else 0

        def is_watching() -> bool:
            post()
            return seen() > 0

        eventually(is_watching)
        before = seen()
        for _ in range(20):
            post()
        eventually(lambda: seen() - before >= 20)
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
    finally:
        server.stop()


def test_the_second_server_on_a_data_directory_says_who_holds_it(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        with pytest.raises(Refused, match="is in use by process"):
            Server(tmp_path / "data").start()
    finally:
        server.stop()


@pytest.mark.sqlite
def test_a_backup_while_serving_can_be_restored(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    headers = {"X-API-Key": server.key()}
    body = {"prompt_name": "p", "version_tag": "1"}
    for _ in range(5):
        httpx.post(server.url + "/v1/logs", json=body, headers=headers)
    command = ["gitprompt", "backup", str(tmp_path / "b.tar"), "--data", str(server.data)]
    command += ["--without-salt"]  # the one that is there stays
    run(sys.executable, "-m", *command, cwd=tmp_path)
    httpx.post(server.url + "/v1/logs", json=body, headers=headers)
    with pytest.raises(Refused, match="in use by"):
        run(sys.executable, "-m", "gitprompt", "restore", str(tmp_path / "b.tar"),
            "--data", str(server.data), "--force", cwd=tmp_path)  # fmt: skip
    server.stop()
    run(sys.executable, "-m", "gitprompt", "restore", str(tmp_path / "b.tar"),
        "--data", str(server.data), "--force", cwd=tmp_path)  # fmt: skip
    server.start()
    assert httpx.get(server.url + "/v1/logs", headers=headers).json()["total"] == 5
    server.stop()


@pytest.mark.sqlite
def test_a_backup_of_the_database_alone_is_restored_as_ever(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    key = server.key()
    old = str(tmp_path / "old.db")
    snapshot.back_up(str(server.data / "telemetry.db"), old, progress=lambda _done, _total: None)
    server.key("read")  # made after the backup
    server.stop()
    run(sys.executable, "-m", "gitprompt", "restore", old, "--data", str(server.data), "--force",
        cwd=tmp_path)  # fmt: skip
    server.start()
    assert server.request("/v1/prompts", key=key).status_code == 200
    assert server.request("/v1/prompts", key=server.key("read")).status_code == 401
    server.stop()


def test_what_is_no_backup_is_not_restored(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no")
    with pytest.raises(SetupError, match="is not a backup"):
        snapshot.put_back(str(tmp_path / "x"), str(tmp_path / "telemetry.db"))
    assert not os.path.exists(tmp_path / "telemetry.db")
