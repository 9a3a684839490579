# SPDX-License-Identifier: Apache-2.0
"""How long the migration to keys by workspace takes, against SQLite's own copy of the same file.

python bench/migrate.py [--rows 1000000 10000000]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import measure

from gitprompt.store import migration
from gitprompt.store.engines.sqlite import Sqlite

_OLD = ("0001_keys_and_pins.sql", "0002_telemetry.sql", "0003_run_has_ended.sql")
_METADATA = '{"kind": "llm", "model": "gpt-4o", "tokens_in": 120, "tokens_out": 340}'
# Of ten rows: four spans, two logs, three audit rows, one trace.
_FILL = f"""
CREATE TEMP TABLE number (value INTEGER PRIMARY KEY);
INSERT INTO temp.number WITH RECURSIVE count (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count
    WHERE n < 4 * $traces) SELECT n FROM count;
INSERT INTO trace (workspace, trace_id, prompt_name, version_tag, created_at)
    SELECT 'team-' || (value % 3), printf('%032x', value), 'welcome', '1.0.0', 1700000000 + value
    FROM number WHERE value <= $traces;
INSERT INTO span (trace, span_id, name, status, start_time, end_time, metadata, created_at)
    SELECT (value - 1) / 4 + 1, printf('%016x', value), 'llm-call', 'ok', 1000, 2500, '{_METADATA}', 1700000000
    FROM number WHERE value <= 4 * $traces;
INSERT INTO log (workspace, log_id, prompt_name, version_tag, provider, model, tokens_in, tokens_out,
    latency_ms, cost_usd, status, metadata, created_at)
    SELECT 'team-' || (value % 3), printf('log-%d', value), 'welcome', '1.0.0', 'openai', 'gpt-4o', 120, 340,
    1500, 0.0042, 'ok', '{_METADATA}', 1700000000 + value
    FROM number WHERE value <= 2 * $traces;
INSERT INTO audit (workspace_id, action, prompt_name, version_tag, api_key_name, ip_address, timestamp, outcome)
    SELECT 'team-' || (value % 3), 'log:create', 'welcome', '1.0.0', 'ci', '10.0.0.1', 1700000000 + value, 'done'
    FROM number WHERE value <= 3 * $traces;
INSERT INTO tally (workspace, kind, rows) SELECT workspace_id, 'audit', count(*) FROM audit GROUP BY 1;
"""


def old_database(path: str, rows: int) -> None:
    """A database of the schema before, with about that many rows."""
    folder = Path(migration.__file__).parent / "migrations" / "sqlite"
    db = apsw.Connection(path)
    db.pragma("journal_mode", "off")
    db.pragma("synchronous", "OFF")
    for name in _OLD:
        db.execute((folder / name).read_text(encoding="utf-8"))
    db.execute("CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT")
    db.execute("INSERT INTO schema_version VALUES (3)")
    with db:
        for statement in filter(str.strip, _FILL.split(";\n")):
            bindings = {"traces": rows // 10} if "$traces" in statement else None
            db.execute(statement, bindings)
    db.close()


def _copy(path: str, target: str) -> None:
    db = apsw.Connection(path)
    db.execute("VACUUM INTO ?", (target,))
    db.close()


def _migrate(path: str) -> None:
    Sqlite(path).writer().close()


def seconds(function: Callable[..., None], *arguments: str) -> float:
    begin = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--folder", help="Where the databases lie (default: a temporary folder).")
    options = parser.parse_args()
    lines = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            path, copy = os.path.join(folder, "telemetry.db"), os.path.join(folder, "copy.db")
            old_database(path, rows)
            before = os.path.getsize(path)
            copied = seconds(_copy, path, copy)
            os.unlink(copy)
            migrated = seconds(_migrate, path)
            after = os.path.getsize(path)
            lines.append(
                (f"{rows:,}", f"{before / 1e9:.2f}", f"{after / 1e9:.2f}", f"{copied:.1f}",
                 f"{migrated:.1f}", f"{migrated / copied:.2f}", f"{rows / migrated / 1e3:.0f} k")
            )  # fmt: skip
    measure.table(
        "Migration to keys by workspace",
        (
            "rows",
            "GB before",
            "GB after",
            "VACUUM INTO, s",
            "migration, s",
            "ratio",
            "rows a second",
        ),
        lines,
    )


if __name__ == "__main__":
    main()
