# SPDX-License-Identifier: Apache-2.0
"""Is a database file sound? Reads it, and changes nothing."""

from __future__ import annotations

import os

import apsw


def number_of_keys(path: str) -> int:
    """The API keys in a telemetry.db; 0 if it is absent, damaged, or of another schema."""
    if not os.path.exists(path):
        return 0
    try:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error:
        return 0
    try:
        return int(connection.execute("SELECT count(*) FROM api_key").get or 0)
    except apsw.Error:
        return 0
    finally:
        connection.close()


def problem(path: str) -> str:
    """What SQLite says is wrong with the file; empty if it is sound or absent."""
    if not os.path.exists(path):
        return ""
    try:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error as error:
        return str(error)
    try:
        answer = connection.execute("PRAGMA quick_check(1)").get
    except apsw.Error as error:
        return str(error)
    finally:
        connection.close()
    return "" if answer == "ok" else str(answer)
