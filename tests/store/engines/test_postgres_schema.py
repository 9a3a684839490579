# SPDX-License-Identifier: Apache-2.0
"""The tables of PostgreSQL: the columns of SQLite's, made once, whoever comes first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gitprompt.errors import SetupError
from gitprompt.store.engines import engine_at
from gitprompt.store.tables.audit import Actor
from tests.postgres import PASSWORD, cluster, name_of

pytestmark = pytest.mark.postgres
ACTOR = Actor("default", "test")
ONLY_HERE = {"shard"}  # columns


def test_both_engines_have_the_same_columns(url: str, tmp_path: Path) -> None:
    here, there = engine_at(url).writer(), engine_at(str(tmp_path / "t.db")).writer()
    mine: dict[str, set[str]] = {}
    for table, column in here.query(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'gitprompt'"
    ):
        mine.setdefault(table, set()).add(column)
    theirs = {
        table: {row[0] for row in there.query(f"SELECT name FROM pragma_table_xinfo('{table}')")}
        for (table,) in there.query("SELECT name FROM pragma_table_list WHERE type = 'table'")
        if not table.startswith("sqlite_")
    }
    assert mine.keys() - theirs.keys() == {"node", "generation", "fingerprint", "git_object"}
    assert theirs.keys() - mine.keys() == {"sequence"}
    for table in theirs.keys() & mine.keys() - {"schema_version"}:
        assert mine[table] - ONLY_HERE == theirs[table], table
    here.close()
    there.close()


def test_text_is_ordered_by_its_bytes_and_integers_have_64_bits(url: str) -> None:
    db = engine_at(url).writer()
    odd = db.query(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'gitprompt'"
        " AND (data_type = 'integer' OR data_type = 'text' AND collation_name IS DISTINCT FROM 'C')"
    )
    assert odd == []
    db.close()


def test_workspace_is_the_first_column_of_every_key(url: str) -> None:
    db = engine_at(url).writer()
    keys = db.query(
        "SELECT c.relname, a.attname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
        " WHERE i.indisunique AND c.relnamespace = 'gitprompt'::regnamespace"
    )
    small = {"api_key", "node", "generation", "fingerprint", "schema_version", "ui_session"}
    assert {
        (table, first) for table, first in keys if table not in small and first != "workspace"
    } == set()
    db.close()


def test_nodes_that_start_together_migrate_once(url: str) -> None:
    code = (
        "import sys; from gitprompt.store.engines import engine_at;"
        " db = engine_at(sys.argv[1]).writer(); print(db._node.id)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [one.communicate()[0].strip() for one in started]
    assert sorted(said) == ["1", "2", "3"]


def test_a_newer_schema_is_refused(url: str) -> None:
    engine_at(url).writer().close()
    cluster().execute("UPDATE gitprompt.schema_version SET version = 99", name_of(url))
    with pytest.raises(SetupError, match="newer gitprompt \\(schema 99") as caught:
        engine_at(url).writer()
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_text_is_refused(encoding: str) -> None:
    """With the first, every text came back as bytes, and the salt was called another one."""
    own = cluster()
    name = f"ascii_{encoding.lower()}"
    own.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")
    try:
        with pytest.raises(SetupError, match=f"has the encoding {encoding}") as caught:
            engine_at(own.url(name)).writer()
        assert "CREATE DATABASE gitprompt ENCODING 'UTF8'" in (caught.value.hint or "")
    finally:
        own.execute(f"DROP DATABASE {name}")
