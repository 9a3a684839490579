# SPDX-License-Identifier: Apache-2.0
"""What a worker process is asked of a push, and how it answers (`work/child`)."""

from __future__ import annotations

import json
from typing import Any

from gitprompt.core.versions import tag_ref
from gitprompt.errors import GitpromptError
from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry import push_rules
from gitprompt.registry.push_rules import Bounds


def question(
    repository: Repository,
    updates: list[RefUpdate],
    *,
    scopes: frozenset[str],
    pins: dict[str, str],
    bounds: Bounds,
) -> bytes:
    """What is asked of a push. `pins` has the object of each pinned tag of it, by ref."""
    place = (repository.git_dir, repository.common_dir, repository.work_tree)
    return _line(
        {
            "place": place,
            "env": repository.environment,
            "root": repository.root,
            "labels_of": repository.labels_of,
            "updates": updates,
            "scopes": sorted(scopes),
            "pins": pins,
            "bounds": bounds,
        }
    )


def _line(value: Any) -> bytes:
    return json.dumps(value).encode("ascii")


def answer(asked: bytes) -> bytes:
    """The lines that the author reads of a refusal, or what went wrong."""
    return _line(_answer(json.loads(asked)))


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    git_dir, common_dir, work_tree = asked["place"]
    repository = Repository(git_dir, common_dir, work_tree, asked["env"])
    repository.root, repository.labels_of = asked["root"], asked["labels_of"]
    updates = [RefUpdate(*update) for update in asked["updates"]]
    pins = asked["pins"]
    try:
        refusals = push_rules.judge(
            repository,
            updates,
            scopes=frozenset(asked["scopes"]),
            pinned=lambda name, version: pins.get(tag_ref(name, version)),
            bounds=Bounds(*asked["bounds"]),
        )
    except GitpromptError as error:
        return {"failed": error.message}
    except MemoryError:
        return {"failed": "judging this push takes more memory than there may be"}
    return {"lines": push_rules.report(refusals)}
