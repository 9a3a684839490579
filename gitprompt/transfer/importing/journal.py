# SPDX-License-Identifier: Apache-2.0
"""How far the import from a live API has come, so that another run goes on there."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from gitprompt import hosting


class Journal:
    """The mark of the last page of each stage, in a file for each way from there to here. `is_used` False: nothing is
    kept."""

    def __init__(self, folder: str, *way: str, is_used: bool) -> None:
        name = hashlib.sha256(json.dumps(way).encode()).hexdigest()[:24]
        self._path = os.path.join(folder, f"migrate-{name}.json")
        self._is_used = is_used
        self.done: dict[str, Any] = {}
        if is_used:
            try:
                with open(self._path, encoding="utf-8") as file:
                    self.done = json.load(file)
            except (OSError, ValueError):
                self.done = {}

    def note(self, stage: str, mark: Any) -> None:
        if not self._is_used:
            return
        self.done[stage] = mark
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        hosting.replace(self._path, json.dumps(self.done), mode=0o600)

    def forget(self) -> None:
        self.done = {}
        if self._is_used and os.path.exists(self._path):
            os.unlink(self._path)
