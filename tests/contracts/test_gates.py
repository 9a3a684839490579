# SPDX-License-Identifier: Apache-2.0
"""The contract that every gate keeps. A new gate is picked up from the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt import gates
from gitprompt.core.labels import MoveRecord
from gitprompt.core.settings import Settings
from gitprompt.gates import Facts, Gate

MOVES = (
    MoveRecord("welcome", "production", "1.0.0", None),
    MoveRecord("welcome", "production", "1.0.0", "2.0.0", "a rollback"),
    MoveRecord("welcome", "production", None, "1.0.0"),
)
OPEN = Settings()
PROTECTED = Settings(protected={"prod*": "admin"})


@pytest.fixture(params=sorted(gates.GATES))
def gate(request: pytest.FixtureRequest) -> Gate:
    return gates.GATES[request.param]


def test_every_module_of_the_family_is_registered() -> None:
    folder = Path(gates.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(gates.GATES)


@pytest.mark.parametrize("move", MOVES)
def test_without_a_policy_a_writer_may_move(gate: Gate, move: MoveRecord) -> None:
    assert gate(move, Facts(OPEN, frozenset(("read", "write")))) is None
    assert gate(move, Facts(OPEN, None)) is None


@pytest.mark.parametrize("settings", [OPEN, PROTECTED])
@pytest.mark.parametrize("move", MOVES)
def test_it_answers_the_same_twice_and_says_what_to_do(
    gate: Gate, move: MoveRecord, settings: Settings
) -> None:
    for scopes in (frozenset[str](), frozenset(("write",)), frozenset(("write", "admin")), None):
        facts = Facts(settings, scopes)
        finding = gate(move, facts)
        assert gate(move, facts) == finding
        if finding is not None:
            assert finding.severity == "error"
            assert finding.code
            assert finding.message
            assert finding.hint


def test_a_protected_label_needs_the_scope_that_its_policy_names() -> None:
    (move, *_) = MOVES
    refusal = gates.judge(move, Facts(PROTECTED, frozenset(("read", "write"))))
    assert refusal is not None
    assert (refusal.code, refusal.message) == ("protected", "Missing required scope: admin")
    assert gates.judge(move, Facts(PROTECTED, frozenset(("admin",)))) is None
    assert (
        gates.judge(move._replace(label="staging"), Facts(PROTECTED, frozenset(("write",)))) is None
    )
