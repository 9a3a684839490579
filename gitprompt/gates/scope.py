# SPDX-License-Identifier: Apache-2.0
"""A protected label is moved only with a key that has the scope its policy names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitprompt.core.document import SETTINGS
from gitprompt.core.labels import MoveRecord
from gitprompt.core.model import Finding

if TYPE_CHECKING:
    from gitprompt.gates import Facts


def judge(move: MoveRecord, facts: Facts) -> Finding | None:
    needed = facts.settings.scope_to_move(move.label)
    if facts.scopes is None or needed in facts.scopes:
        return None
    return Finding(
        "protected",
        "error",
        f"Missing required scope: {needed}",
        f"The label '{move.label}' is protected (labels.protected in {SETTINGS}): moving it needs a"
        f" key with the scope {needed}.",
    )
