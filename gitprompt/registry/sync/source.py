# SPDX-License-Identifier: Apache-2.0
"""What a reconciliation reads, and what it says at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gitprompt.git.repository import Repository


class Source(NamedTuple):
    """A workspace and its local repository. `owned`: we made it (hosted or a mirror), so a hidden
    ref may keep pinned documents alive in it."""

    workspace: str
    repository: Repository
    owned: bool

    @property
    def is_checked_out(self) -> bool:
        """Whether a person works in it: then its branch is theirs to move."""
        return self.repository.work_tree is not None and not self.owned


class Outcome(NamedTuple):
    """What a reconciliation changed. `moves`: of labels, by their names; not those that an index
    which was empty has seen for the first time."""

    changed: bool = False
    versions: int = 0
    labels: int = 0
    rejected: int = 0
    tampered: tuple[str, ...] = ()
    moves: Mapping[str, int] = {}
