# SPDX-License-Identifier: Apache-2.0
"""Gates: who and what may move a label, by the policy of the repository.

Every move passes all of them, whether it comes with a push or over HTTP. To add a gate: write
`gates/<name>.py` with a function `judge` that keeps the `Gate` contract, and name it in `GATES`;
the contract suite picks it up. What a move *is* stands in `registry/moves`; gates say whether it is
wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from gitprompt.core.labels import MoveRecord
from gitprompt.core.model import Finding
from gitprompt.core.settings import Settings
from gitprompt.gates import scope


class Facts(NamedTuple):
    """What gates decide by. `scopes` are those of the key that moves the label; None means a push
    that did not come over HTTP, whose transport has decided already who may write."""

    settings: Settings
    scopes: frozenset[str] | None


class Gate(Protocol):
    def __call__(self, move: MoveRecord, facts: Facts) -> Finding | None:
        """Why the move is not allowed, or None. Reads nothing but its arguments, raises nothing."""


GATES: Mapping[str, Gate] = {
    "scope": scope.judge,
}


def judge(move: MoveRecord, facts: Facts) -> Finding | None:
    """What the first gate says that is closed to `move`; None if all are open."""
    for gate in GATES.values():
        finding = gate(move, facts)
        if finding is not None:
            return finding
    return None
