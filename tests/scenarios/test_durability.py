# SPDX-License-Identifier: Apache-2.0
"""2xx means fsynced: what was acknowledged survives SIGKILL, once; backups, retention, full disks."""

from __future__ import annotations

import json
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

import apsw
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitprompt.core.usage import Usage, bucket_of, percentile
from gitprompt.errors import Conflict, NotFound, SetupError, Unavailable
from gitprompt.store import group_commit, snapshot
from gitprompt.store.database import Database
from gitprompt.store.engines import sqlite
from gitprompt.store.tables import logs, rollups, traces
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.keys import Keys, KeyUse
from gitprompt.store.tables.logs import LogRow, NewLog, StoredLog
from gitprompt.store.tables.retention import OldRows
from gitprompt.store.tables.rollups import StatisticsQuery
from gitprompt.store.tables.rows import Tally
from gitprompt.store.tables.traces import (
    EnsuredTrace,
    NewSpan,
    NewSpans,
    NewTrace,
    OneTrace,
    SpanRow,
    StoredSpans,
    TraceRow,
)
from tests.world import Refused, Server, eventually, run

# The crash


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
        with httpx.Client(base_url=self.url, headers=self.headers, timeout=10) as client:
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


# Databases that are not well


def test_a_damaged_telemetry_database_stops_the_server_with_a_hint(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "telemetry.db").write_bytes(b"not a database" * 1_000)
    with pytest.raises(Refused, match="Restore it from a backup"):
        Server(data).start()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "telemetry.db")
    Database(path).close()
    db = apsw.Connection(path)
    db.execute("UPDATE schema_version SET version = 99")
    db.close()
    with pytest.raises(SetupError, match="newer gitprompt"):
        Database(path)


def test_an_older_database_is_migrated_with_what_is_in_it(tmp_path: Path) -> None:
    path = str(tmp_path / "telemetry.db")
    folder = Path(sqlite.__file__).parent.parent / "migrations" / "telemetry"
    db = apsw.Connection(path)
    db.execute((folder / "0001_keys_and_pins.sql").read_text())
    db.execute("CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT")
    db.execute("INSERT INTO schema_version VALUES (1)")
    db.execute(
        "INSERT INTO api_key (name, workspace_id, scopes, hash, created_at) VALUES ('old', 'default', 'read', 'h', 1)"
    )
    db.close()
    database = Database(path)
    (record,) = database.read_now(Keys(None))
    assert (record.name, record.last_used_at) == ("old", None)
    database.close()


def test_a_database_locked_by_another_process_is_503_and_stores_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        headers = {"X-API-Key": server.key()}
        other = apsw.Connection(str(tmp_path / "data" / "telemetry.db"))
        other.execute("BEGIN IMMEDIATE")
        body = {"prompt_name": "p", "version_tag": "1"}
        response = httpx.post(server.url + "/v1/logs", json=body, headers=headers, timeout=30)
        assert (response.status_code, response.json()["code"]) == (503, "UNAVAILABLE")
        assert response.headers["retry-after"] == "1"
        other.execute("ROLLBACK")
        other.close()
        assert httpx.get(server.url + "/v1/logs", headers=headers).json()["total"] == 0
        assert httpx.post(server.url + "/v1/logs", json=body, headers=headers).status_code == 202
    finally:
        server.stop()


def fill(database: Database) -> None:
    for number in range(1_000):
        large = json.dumps("x" * 4_000)
        database.writer.run(new_log(metadata=large, log_id=str(number)))


def test_a_full_disk_is_503_and_reads_go_on(tmp_path: Path) -> None:
    """A small tmpfs is a full disk; where it cannot be mounted, SQLite's own limit is one."""
    data = tmp_path / "small"
    data.mkdir()
    try:
        run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(data), cwd=tmp_path)
        mounted = True
    except (Refused, FileNotFoundError):
        mounted = False
    if not mounted:
        database = Database(str(data / "telemetry.db"))
        database.writer.call(lambda db: db.execute("PRAGMA max_page_count = 60").get)
        with pytest.raises(Unavailable, match="disk is full"):
            fill(database)
        database.close()
        return
    server = Server(data / "data")
    server.data.parent.mkdir(exist_ok=True)
    try:
        server.start()
        headers = {"X-API-Key": server.key()}
        body = {"prompt_name": "p", "version_tag": "1", "metadata": {"x": "y" * 200_000}}
        with httpx.Client(headers=headers, timeout=30) as client:
            statuses = [
                client.post(server.url + "/v1/logs", json=body).status_code for _ in range(60)
            ]
            assert set(statuses) == {202, 503}
            stored = client.get(server.url + "/v1/logs").json()["total"]
            assert stored == statuses.count(202)
            assert client.get(server.url + "/health").status_code == 200
    finally:
        server.stop(signal.SIGKILL)
        run("umount", str(data), cwd=tmp_path)


# The writer


def stored_id(outcome: Any) -> int:
    assert isinstance(outcome, StoredLog)
    return outcome.id


def new_log(workspace: str = "default", **fields: Any) -> NewLog:
    empty = dict.fromkeys(LogRow._fields)
    row = LogRow(**{**empty, "workspace": workspace, "prompt_name": "p", "version_tag": "1",
                    "created_at": 7_200, **fields})  # fmt: skip
    usage = rollups.of_log([getattr(row, name) for name in rollups.LOGGED.split(", ")])
    return NewLog(row, usage, Actor(workspace, "test").did("log:create", 7_200))


@pytest.fixture
def database(tmp_path: Path) -> Any:
    found = Database(str(tmp_path / "telemetry.db"))
    yield found
    found.close()


def _blocked(database: Database, release: threading.Event) -> threading.Thread:
    """Keep the writer busy until `release`; it has begun when this returns, so that no later job
    joins its transaction."""
    begun = threading.Event()

    def hold(_: object) -> None:
        begun.set()
        release.wait()

    holder = threading.Thread(target=database.writer.call, args=(hold,))
    holder.start()
    assert begun.wait(10)
    return holder


def test_a_job_that_fails_takes_nobody_with_it(database: Database) -> None:
    """All of them wait together behind a slow one, and so share a transaction."""
    release = threading.Event()
    blocker = _blocked(database, release)
    outcomes: dict[str, Any] = {}

    def attempt(name: str, function: Callable[[Any], Any]) -> None:
        try:
            outcomes[name] = database.writer.call(function)
        except Exception as error:
            outcomes[name] = type(error).__name__

    jobs = {
        "good": lambda db: stored_id(logs.insert(db, [new_log()])[0]),
        "bad": lambda db: db.execute("INSERT INTO log (id) VALUES ('x')"),
        "worse": lambda _db: 1 / 0,
        "fine": lambda db: stored_id(logs.insert(db, [new_log()])[0]),
    }
    threads = [threading.Thread(target=attempt, args=job) for job in jobs.items()]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: database.writer.waiting == len(jobs))
    finally:
        release.set()
    for thread in [blocker, *threads]:
        thread.join()
    assert outcomes["worse"] == "ZeroDivisionError"
    assert outcomes["bad"] in ("ConstraintError", "MismatchError")
    assert sorted([outcomes["good"], outcomes["fine"]]) == [1, 2]
    assert database.read_now(Tally("default", "log")) == 2


def test_a_full_queue_refuses_and_stores_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MAX_WAITING", 1)
    release = threading.Event()
    holder = _blocked(database, release)
    waits = database.writer.start(KeyUse({}))
    try:
        with pytest.raises(Unavailable, match="too many writes"):
            database.writer.run(new_log())
    finally:
        release.set()
    holder.join()
    assert waits.result() is None
    assert database.read_now(Tally("default", "log")) == 0


def test_spans_of_one_group_are_refused_apart(database: Database) -> None:
    def spans(trace: str, *ids: str, name: str = "n") -> NewSpans:
        made = [NewSpan(SpanRow(one, None, name, "ok", 1, 2, None, 7_200)) for one in ids]
        return NewSpans("default", trace, made, Actor("default", "t").did("x", 1))

    trace = TraceRow("default", "t", None, None, None, 7_200)
    database.writer.run(NewTrace(trace, Actor("default", "t").did("x", 1)))
    outcomes = database.writer.call(
        lambda db: traces.insert_spans(
            db,
            [
                spans("t", "a", "b"),
                spans("none", "a"),
                spans("t", "b", name="other"),
                spans("t", "c"),
            ],
        )
    )
    assert [type(outcome) for outcome in outcomes] == [StoredSpans, NotFound, Conflict, StoredSpans]
    found = database.read_now(OneTrace("default", "t"))
    assert found is not None
    assert [span.span_id for span in found[1]] == ["a", "b", "c"]


# Rollups are a function of the rows


TRACE_IDS = st.sampled_from(["a-b", "AB", "c"])  # the first two are two spellings of one call's
STEP = st.one_of(
    st.tuples(st.just("log"), TRACE_IDS, st.sampled_from(["s1", "s2", None])),
    st.tuples(st.just("span"), TRACE_IDS, st.sampled_from(["s1", "s2", "s3"])),
    st.tuples(st.just("delete"), TRACE_IDS, st.none()),
)


@given(st.lists(STEP, max_size=25), st.integers(0, 5_000))
@settings(max_examples=60)
def test_rollups_that_were_kept_equal_rollups_that_are_rebuilt(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str | None]], ms: int
) -> None:
    db = sqlite.connect(
        str(tmp_path_factory.mktemp("r") / "t.db"), "telemetry", durability="NORMAL"
    )
    entry = Actor("default", "t").did("x", 1)
    for number, (what, trace, span) in enumerate(steps):
        row = TraceRow("default", trace, "p", "1", None, 7_200)
        traces.ensure(db, [EnsuredTrace(row, entry)])
        if what == "log":
            logs.insert(db, [new_log(trace_id=trace if span else None, span_id=span, latency_ms=ms,
                                     tokens_in=number, cost_usd=0.1)])  # fmt: skip
        elif what == "span":
            metadata = {"kind": "llm", "model": "m", "tokens_in": 3, "cost_usd": 0.2}
            made = SpanRow(span or "", None, "n", "error", 0, ms, json.dumps(metadata), 7_200)
            usage = Usage("default", "", "", 2, 1, 3, 0, 0, 200_000_000, ms)
            traces.insert_spans(db, [NewSpans("default", trace, [NewSpan(made, usage)], entry)])
        else:
            traces.delete(db, [traces.TraceDeletion("default", trace, entry)])
    kept = StatisticsQuery("default").answer(db)
    rollups.rebuild(db)
    assert StatisticsQuery("default").answer(db) == kept
    db.close()


@given(st.integers(0, 1 << 40))
def test_a_bucket_is_exact_or_one_in_a_thousand(latency: int) -> None:
    bucket = bucket_of(latency)
    assert bucket <= latency
    assert latency - bucket <= latency / 1_000
    assert bucket_of(bucket) == bucket


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=200))
def test_percentiles_are_those_of_the_values(values: list[int]) -> None:
    buckets = sorted(Counter(values).items())
    ordered = sorted(values)
    for share in (0.5, 0.95):
        rank = max(1, -(-round(len(values) * share * 100) // 100))
        assert percentile(buckets, share) == ordered[min(rank, len(values)) - 1]


# Backup, restore, retention


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


def test_retention_forgets_old_rows_and_keeps_the_sums(database: Database) -> None:
    for number in range(25):
        database.writer.run(new_log(created_at=number * 3_600, latency_ms=1))
    before = database.read_now(StatisticsQuery("default"))
    removed: list[int] = []
    while not removed or removed[-1]:
        removed.append(database.writer.run(OldRows(10 * 3_600, 4)))
    assert removed == [4, 4, 2, 0]
    assert database.read_now(Tally("default", "log")) == 15
    assert database.read_now(StatisticsQuery("default")) == before
    database.writer.call(lambda db: rollups.rebuild(db, since=10 * 3_600))
    assert database.read_now(StatisticsQuery("default")) == before
