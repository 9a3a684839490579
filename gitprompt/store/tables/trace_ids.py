# SPDX-License-Identifier: Apache-2.0
"""A trace's id is one id in every spelling: a UUID in one place, 32 digits in another, in upper case."""

from __future__ import annotations


def key_of(trace_id: str | None) -> str:
    """What all spellings of an id have in common."""
    return (trace_id or "").replace("-", "").lower()


def sql_of(column: str) -> str:
    """The same of a column, as the indexes have it."""
    return f"lower(replace({column}, '-', ''))"


TRACE_KEY = sql_of("trace.trace_id")
LOG_KEY = sql_of("log.trace_id")
