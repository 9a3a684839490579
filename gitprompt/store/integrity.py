# SPDX-License-Identifier: Apache-2.0
"""Is a database file sound? Reads it, and changes nothing."""

from __future__ import annotations

import os

import apsw


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
