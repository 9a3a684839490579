# SPDX-License-Identifier: Apache-2.0
"""`gitprompt db`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.store.database import Database
from tests.cli.commands import Cli
from tests.postgres import PASSWORD, cluster, name_of, new_url
from tests.store.stored import new_log


@pytest.mark.postgres
def test_a_database_moves_to_postgresql(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = str(tmp_path / "old.db")
    database = Database(f"sqlite:{old}")
    database.write_now(new_log(log_id="a"))
    database.close()
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    name = name_of(new_url())
    target = f"postgres://postgres@127.0.0.1:{cluster().port}/{name}"
    outcome = cli("db", "copy", old, target)
    assert outcome.code == 0, outcome.err
    assert "has the 2 rows of SQLite" in outcome.out
    assert cluster().execute("SELECT log_id FROM gitprompt.log", name) == [("a",)]


def test_what_is_no_database_is_told(cli: Cli) -> None:
    refused = cli("db", "copy", "a.db", "a.db")
    assert (refused.code, "same database" in refused.err) == (2, True)
    refused = cli("db", "copy", "mysql://x", "a.db")
    assert (refused.code, "names no database" in refused.err) == (2, True)
