# SPDX-License-Identifier: Apache-2.0
"""A label is moved: made, and done."""

from __future__ import annotations

from typing import Any

from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry import clone as clones
from gitprompt.registry import refwrites
from tests.world import Clone


def move_label(repository: Repository, *args: Any, **options: Any) -> RefUpdate:
    update = refwrites.label_update(repository, *args, **options)
    refwrites.move_refs(repository, [update], message="test")
    return update


def move(clone: Clone, name: str, label: str, version: str | None, reason: str = "") -> None:
    """A label move as `gitprompt label set` makes it, without a process for each."""
    found = clones.Clone(Repository.open(str(clone.path)))
    current = found.label(name, label)
    wanted = next((v for v in found.versions(name) if v.version == version), None)
    move_label(
        found.repository, name, label, wanted, current=current,
        local=current.tip if current else None, author=refwrites.identity(found.repository), reason=reason,
    )  # fmt: skip
