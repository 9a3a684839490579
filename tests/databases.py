# SPDX-License-Identifier: Apache-2.0
"""Where the durable databases of the tests are: in files, or on a real PostgreSQL (GITPROMPT_TEST_ENGINE)."""

from __future__ import annotations

import os
from pathlib import Path

from gitprompt.store.database import Database

IS_POSTGRES = os.environ.get("GITPROMPT_TEST_ENGINE") == "postgres"
_urls: dict[str, str] = {}


def location(folder: Path | str) -> str:
    """The database of a folder, always the same one; empty at first."""
    if not IS_POSTGRES:
        return f"sqlite:{Path(folder) / 'telemetry.db'}"
    from tests import postgres

    key = str(Path(folder).resolve())
    if key not in _urls:
        _urls[key] = postgres.new_url()
    return _urls[key]


def environment(folder: Path | str) -> dict[str, str]:
    """What a server or command with this data folder needs to find its database."""
    return {"DATABASE_URL": location(folder)} if IS_POSTGRES else {}


def after_a_crash(database: Database) -> None:
    """What is pending was begun by a process that is dead."""
    database.writer.call(lambda db: db.execute("UPDATE audit SET boot = 'dead'"))
