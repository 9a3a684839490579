# SPDX-License-Identifier: Apache-2.0
"""Who did what: rows that are written with the change, before it, or once."""

from __future__ import annotations

from gitprompt.store.database import Database
from gitprompt.store.tables import audit
from gitprompt.store.tables.audit import (
    Actor,
    Expected,
    ExpectedTogether,
    NotedOnce,
    Pending,
    Settled,
)
from gitprompt.store.tables.pages import Part, Window
from gitprompt.store.tables.rows import Condition, Tally
from tests.databases import after_a_crash

ADA = Actor("default", "ada", "10.0.0.1")


def expected(number: int, workspace: str = "default") -> Expected:
    return Expected(ADA._replace(workspace=workspace).did("push", 9), f"refs/{number}", "oid")


def outcomes(database: Database) -> list[str]:
    rows, *_ = database.read_now(Part(audit.LISTING, "default", Window(50)))
    return [audit.AuditRow(*row[1:]).outcome for row in rows][::-1]


def test_a_row_says_who_did_what_and_from_where(database: Database) -> None:
    database.write_now(ADA.did("label:move", 9, prompt_name="a", target_id="live"))
    rows, total, *_ = database.read_now(Part(audit.LISTING, "default", Window(50)))
    assert total == 1
    assert rows == [(1, "default", "label:move", "a", None, "ada", "10.0.0.1", "live", 9, "done")]


def test_what_a_living_process_began_is_for_itself_to_settle(database: Database) -> None:
    database.write_now(expected(1))
    assert database.read_now(Pending()) == []
    after_a_crash(database)
    assert len(database.read_now(Pending())) == 1


def test_what_one_push_expects_is_pending_until_it_is_settled(database: Database) -> None:
    first, second = database.write_now(ExpectedTogether([expected(1), expected(2)]))
    after_a_crash(database)
    assert [(row, one.ref) for row, one in database.read_now(Pending())] == [
        (first, "refs/1"),
        (second, "refs/2"),
    ]
    database.write_now(Settled("default", [(first, "done"), (second, "failed")]))
    assert database.read_now(Pending()) == []
    assert outcomes(database) == ["done", "failed"]


def test_a_row_is_settled_in_its_own_workspace_alone(database: Database) -> None:
    number = database.write_now(expected(1))
    database.write_now(Settled("other", [(number, "done")]))
    assert outcomes(database) == ["pending"]


def test_pending_rows_of_all_workspaces_come_oldest_first(database: Database) -> None:
    for number, workspace in enumerate(("b", "a", "c")):
        database.write_now(expected(number, workspace))
    after_a_crash(database)
    assert [one.entry.workspace for _, one in database.read_now(Pending())] == ["b", "a", "c"]


def test_what_is_noted_once_has_one_row_for_each_action_and_target(database: Database) -> None:
    for target in ("x", "x", "y"):
        database.write_now(NotedOnce(ADA.did("tag:tampered", 9, target_id=target)))
    database.write_now(NotedOnce(ADA.did("other", 9, target_id="x")))
    assert database.read_now(Tally("default", "audit")) == 3


def test_rows_are_narrowed_by_column_and_time(database: Database) -> None:
    for at in (5, 6, 7):
        database.write_now(ADA.did("push", at))
    since = [Condition("timestamp", 6, ">="), Condition("timestamp", 7, "<")]
    rows, total, *_ = database.read_now(Part(audit.LISTING, "default", Window(50), since))
    assert (total, [row[8] for row in rows]) == (1, [6])
