# SPDX-License-Identifier: Apache-2.0
"""The process in which pushes are judged, one after another: what strangers sent is read, parsed and
checked where it can be killed, and holds neither the server's interpreter nor its memory.

A question is a line of JSON on standard input, the answer one on standard output.
"""

from __future__ import annotations

import json
import os
import resource
import sys
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
    return json.dumps(value).encode("ascii") + b"\n"


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    """The lines that the author reads of a refusal, or what went wrong."""
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


def main() -> None:
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))  # of the git processes, too
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not answer
    for line in questions:
        answers.write(_line(_answer(json.loads(line))))
        answers.flush()
