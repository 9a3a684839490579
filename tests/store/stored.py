# SPDX-License-Identifier: Apache-2.0
"""Rows for the tests of the store."""

from __future__ import annotations

from typing import Any

from gitprompt.store.tables import rollups
from gitprompt.store.tables.audit import Actor
from gitprompt.store.tables.logs import LogInsertion, LogRow


def new_log(workspace: str = "default", **fields: Any) -> LogInsertion:
    empty = dict.fromkeys(LogRow._fields)
    row = LogRow(**{**empty, "workspace": workspace, "prompt_name": "p", "version_tag": "1",
                    "created_at": 7_200, **fields})  # fmt: skip
    usage = rollups.of_log([getattr(row, name) for name in rollups.LOGGED.split(", ")])
    return LogInsertion(row, usage, Actor(workspace, "test").did("log:create", 7_200))
