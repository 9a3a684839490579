# SPDX-License-Identifier: Apache-2.0
"""What the process that judges is asked and answers, a line each."""

from __future__ import annotations

import json
import subprocess
import sys

from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry.push_rules import Bounds
from gitprompt.server.git.judging import question
from tests.world import Clone

PROGRAM = "from gitprompt.server.work.child import main; main()"


def test_questions_are_answered_in_their_order_and_nothing_else_is_said(published: Clone) -> None:
    head = published.git("rev-parse", "HEAD")
    repository = Repository.open(str(published.path))
    asked = [
        question(
            repository,
            [RefUpdate(ref, ZERO, head)],
            scopes=frozenset(("write",)),
            pins={},
            bounds=Bounds(refs=refs),
        )
        for ref, refs in (
            ("refs/heads/a", 1),
            ("refs/tags/prompts/none/1.0.0", 1),
            ("refs/heads/b\udce9", 1),
            ("refs/heads/c", 0),
        )
    ]
    assert all(line.count(b"\n") == 0 and line.isascii() for line in asked)
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, "2000000000"],
        input=b"".join(b"judge %s\n" % line for line in asked),
        stdout=subprocess.PIPE,
        check=True,
    )
    answers = [json.loads(line) for line in said.stdout.splitlines()]
    assert answers[0] == {"lines": []}
    assert answers[1]["lines"][0] == "gitprompt: refs/tags/prompts/none/1.0.0 is refused"
    assert answers[2] == {"lines": []}
    assert answers[3] == {"failed": "this push has more than 0 refs"}
