# SPDX-License-Identifier: Apache-2.0
"""Copies a durable database into an empty one of any engine. Cut short, it goes on where it was: what is there
already is left alone. At the end both are compared, row by row.

Rows go in the order of their keys, parents before what refers to them. Sums, which are a row for each node in
one engine and one row in another, are written anew at the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from gitprompt.errors import SetupError
from gitprompt.store.engines import Connection
from gitprompt.store.tables.rows import Bound

Progress = Callable[[str, int, int], None]
"""The table, its rows that are done, and how many it has."""
_CHUNK = 2_000


class Table(NamedTuple):
    """`numbered`: its ids come from a counter of the engine's."""

    name: str
    key: str
    columns: str
    numbered: bool = True


class Sums(NamedTuple):
    name: str
    key: str
    sums: tuple[str, ...]


_ABOUT = "name, session_id, user_id, environment, release, tags, input, output"
TABLES = (
    Table(
        "api_key",
        "id",
        "id, name, workspace_id, scopes, hash, created_at, expires_at, last_used_at",
    ),
    Table(
        "pin",
        "workspace, name, version",
        "workspace, name, version, tag, commit_oid, blob, created_at, author, path, first_seen, fragments,"
        " document",
        numbered=False,
    ),
    Table(
        "log",
        "workspace, id",
        "workspace, id, log_id, prompt_name, version_tag, provider, model, tokens_in, tokens_out,"
        " tokens_cached, latency_ms, cost_usd, ollama_options, ollama_keep_alive, ollama_format, status,"
        " error_code, metadata, trace_id, span_id, created_at, cost_nano",
    ),
    Table(
        "trace",
        "workspace, id",
        f"workspace, id, trace_id, prompt_name, version_tag, metadata, created_at, {_ABOUT}",
    ),
    Table(
        "trace_total",
        "workspace, id",
        "workspace, id, created_at, spans, errors, first_start, last_end, tokens, cost_nano,"
        " duration, failed",
        numbered=False,
    ),
    Table(
        "span",
        "workspace, trace, span_id",
        "workspace, trace, span_id, id, parent_id, name, status, start_time, end_time, metadata,"
        " created_at, facts, counted",
    ),
    Table(
        "run",
        "workspace, id",
        "workspace, id, run_id, workflow_name, status, input, output, trace_id, metadata, start_time,"
        " end_time, created_at, updated_at, has_ended, session_id, user_id, environment, release, tags",
    ),
    Table("suite", "workspace, id", "workspace, id, name, created_at"),
    Table(
        "score",
        "workspace, id",
        "workspace, id, suite, score_id, name, type, number, text, trace_id, span_id, session_id, run_id,"
        " comment, source, metadata, prompt_name, version_tag, created_at",
    ),
    Table(
        "metric",
        "workspace, id",
        "workspace, id, name, value, type, labels, prompt_name, version_tag, timestamp",
    ),
    Table(
        "audit",
        "workspace, id",
        "workspace, id, action, prompt_name, version_tag, api_key_name, ip_address, target_id, timestamp,"
        " outcome, ref, oid, boot",
    ),
    Table(
        "trace_tag",
        "workspace, tag, created_at, id",
        "workspace, tag, created_at, id",
        numbered=False,
    ),
    Table(
        "run_tag",
        "workspace, tag, created_at, id",
        "workspace, tag, created_at, id",
        numbered=False,
    ),
)
_HOUR = "workspace, prompt_name, version_tag, hour"
SUMS = (
    Sums("tally", "workspace, kind", ("rows",)),
    Sums(
        "usage_rollup",
        _HOUR,
        ("calls", "errors", "tokens_in", "tokens_out", "tokens_cached", "cost_nano", "unpriced"),
    ),
    Sums("latency_rollup", f"{_HOUR}, bucket", ("calls",)),
    Sums("score_rollup", f"{_HOUR}, name, of_suite", ("scores", "total")),
)


def copy(source: Connection, target: Connection, progress: Progress) -> int:
    """How many rows were compared. Raises SetupError if the target has something else."""
    total = 0
    for table in TABLES:
        total += _copy(source, target, table, progress)
    with target.transaction():
        for sums in SUMS:
            target.execute(f"DELETE FROM {sums.name}")
            target.add_up(sums.name, sums.key, sums.sums, _added(source, sums))
    for table in TABLES:
        if _digest(source, table) != _digest(target, table):
            raise SetupError(
                f"the table {table.name} is not the same on both sides: the target has rows of its own, or"
                " somebody writes",
                hint="Stop the servers of both, drop what was copied (DROP SCHEMA gitprompt CASCADE, or the"
                " file), and copy again.",
            )
    for sums in SUMS:
        if _added(source, sums) != _added(target, sums):
            raise SetupError(f"the sums {sums.name} are not the same on both sides")
    return total


def _copy(source: Connection, target: Connection, table: Table, progress: Progress) -> int:
    number = int(source.query(f"SELECT count(*) FROM {table.name}")[0][0])
    done = int(target.query(f"SELECT count(*) FROM {table.name}")[0][0])
    after = _last(target, table) if done else None
    progress(table.name, min(done, number), number)
    for chunk in _chunks(source, table, after):
        with target.transaction():
            target.insert(table.name, table.columns, chunk, keep=table.key)
        done += len(chunk)
        progress(table.name, min(done, number), number)
    if table.numbered:
        last = source.query(f"SELECT coalesce(max(id), 0) FROM {table.name}")[0][0]
        with target.transaction():
            target.continue_numbers(table.name, last)
    return number


def _chunks(
    db: Connection, table: Table, after: Sequence[Any] | None
) -> Iterator[list[tuple[Any, ...]]]:
    """Rows in the order of their keys, after a key."""
    places = [table.columns.split(", ").index(name) for name in table.key.split(", ")]
    while True:
        bound = Bound()
        where = f"WHERE ({table.key}) > ({bound.bind_all(after)})" if after is not None else ""
        rows = db.query(
            f"SELECT {table.columns} FROM {table.name} {where} ORDER BY {table.key}"
            f" LIMIT {bound.bind(_CHUNK)}",
            bound.values,
        )
        if not rows:
            return
        yield rows
        after = [rows[-1][place] for place in places]


def _last(db: Connection, table: Table) -> tuple[Any, ...] | None:
    order = ", ".join(f"{name} DESC" for name in table.key.split(", "))
    return db.row(f"SELECT {table.key} FROM {table.name} ORDER BY {order} LIMIT 1")


def _digest(db: Connection, table: Table) -> tuple[int, str]:
    """The number of rows, and a hash of all of them."""
    digest, number = hashlib.sha256(), 0
    for chunk in _chunks(db, table, None):
        number += len(chunk)
        for row in chunk:
            digest.update(repr(tuple(row)).encode("utf-8", "surrogatepass"))
    return number, digest.hexdigest()


def _added(db: Connection, sums: Sums) -> list[tuple[Any, ...]]:
    added = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in sums.sums)
    sql = f"SELECT {sums.key}, {added} FROM {sums.name} GROUP BY {sums.key} ORDER BY {sums.key}"
    return [tuple(row) for row in db.query(sql)]
