# SPDX-License-Identifier: Apache-2.0
"""A label is moved: made, and done."""

from __future__ import annotations

from typing import Any

from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry import refwrites


def move_label(repository: Repository, *args: Any, **options: Any) -> RefUpdate:
    update = refwrites.label_update(repository, *args, **options)
    refwrites.move_refs(repository, [update], message="test")
    return update
