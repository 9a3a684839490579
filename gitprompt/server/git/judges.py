# SPDX-License-Identifier: Apache-2.0
"""Pushes are judged in worker processes, and may be given up."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence

from gitprompt.errors import GitpromptError, Unavailable
from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry.push_rules import Bounds
from gitprompt.server.git.judging import question
from gitprompt.server.work.pool import Pool
from gitprompt.server.work.process import WorkerProcess

_AT_ONCE = 4  # judges that work: each may take a core


class Judges:
    """`seconds` and `memory` (bytes) are those of one push."""

    def __init__(self, *, bounds: Bounds, seconds: float, memory: int) -> None:
        self.bounds = bounds
        self.seconds = seconds
        self.pool = Pool(memory=memory, at_once=_AT_ONCE)

    def warm(self) -> None:
        """Have one ready: somebody is about to push."""
        self.pool.warm()

    def case(self, workspace: str) -> Case:
        """A push to a workspace, to be judged."""
        return Case(self, workspace)

    def close(self) -> None:
        """Kill all of them; whoever waits for one is told so."""
        self.pool.close()


class Case:
    """One push. It may be given up from another thread, before a judge hears it or meanwhile."""

    def __init__(self, judges: Judges, workspace: str) -> None:
        self._judges = judges
        self._workspace = workspace
        self._lock = threading.Lock()
        self._judge: WorkerProcess | None = None
        self._is_given_up = False

    def judge(
        self,
        repository: Repository,
        updates: Sequence[RefUpdate],
        *,
        scopes: frozenset[str],
        pins: Mapping[str, str],
    ) -> list[str]:
        """The lines that the author reads of a push that is refused; none if it may go in. Blocks, and
        raises GitpromptError if it takes too much, or was given up."""
        bounds, seconds = self._judges.bounds, self._judges.seconds
        asked = question(repository, list(updates), scopes=scopes, pins=dict(pins), bounds=bounds)
        with self._judges.pool.taken(self._workspace, lambda: self._is_given_up) as judge:
            self._begin(judge)
            try:
                answer = json.loads(judge.ask("judge", asked, seconds, what="judging this push"))
            finally:
                self._end()
        if "failed" in answer:
            raise GitpromptError(answer["failed"])
        lines: list[str] = answer["lines"]
        return lines

    def give_up(self) -> None:
        with self._lock:
            self._is_given_up = True
            if self._judge is not None:
                self._judge.kill()

    def _begin(self, judge: WorkerProcess) -> None:
        with self._lock:
            if self._is_given_up:
                raise Unavailable("the push was given up")
            self._judge = judge

    def _end(self) -> None:
        with self._lock:
            self._judge = None
