# SPDX-License-Identifier: Apache-2.0
"""DRIVER=postgres: the log of refs in a table of the database that nodes share, so that one dump has Git and
telemetry of one moment."""

from __future__ import annotations

from gitprompt.config import ServerSettings
from gitprompt.drivers.objects import ObjectStore
from gitprompt.drivers.ref_log import RefLog
from gitprompt.errors import SetupError


def make(settings: ServerSettings, tables: ObjectStore | None) -> RefLog:
    """`tables` is the store in that database. Raises SetupError if there is none."""
    if tables is None or settings.database_url.partition(":")[0] not in ("postgres", "postgresql"):
        raise SetupError(
            "DRIVER=postgres needs a PostgreSQL database",
            hint="Set DATABASE_URL=postgres://user:password@host:5432/database.",
        )
    return RefLog(tables, name="postgres", place="postgres", prefix="")
