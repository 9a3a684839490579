# SPDX-License-Identifier: Apache-2.0
"""The process that works: one question after another, a line each on standard input, and a line for each
answer on standard output. What strangers sent is read, parsed and checked here."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Mapping
from importlib import import_module

# task → module:function, from the question's JSON to the answer's
TASKS: Mapping[str, str] = {
    "judge": "gitprompt.server.git.judging:answer",
    "check": "gitprompt.server.work.requests:answer_check",
    "render": "gitprompt.server.work.requests:answer_render",
}
_COURTESY = 5  # others have more of the processor: whoever reads waits for nobody who checks


def main() -> None:
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))  # of the git processes, too
    os.nice(_COURTESY)
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not answer
    for line in questions:
        task, _, asked = line.partition(b" ")
        answers.write(_function(task.decode())(asked) + b"\n")
        answers.flush()


def _function(task: str) -> Callable[[bytes], bytes]:
    module, _, name = TASKS[task].partition(":")
    function: Callable[[bytes], bytes] = getattr(import_module(module), name)
    return function
