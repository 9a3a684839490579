# SPDX-License-Identifier: Apache-2.0
"""Git processes that hang are ended: a disk that does not answer must not keep whoever waits for ever."""

from __future__ import annotations

import threading
import time
from typing import Protocol
from weakref import WeakSet

_EVERY = 1.0  # seconds between two looks


class Watched(Protocol):
    """`waiting_since` is the monotonic time since when an answer is waited for; None: for none."""

    waiting_since: float | None
    patience: float | None

    def end(self) -> None:
        """Kill the process: whoever waits for it is told."""


_watched: WeakSet[Watched] = WeakSet()
_lock = threading.Lock()
_thread: threading.Thread | None = None


def watch(reader: Watched) -> None:
    """End it when one answer takes longer than its patience."""
    global _thread
    with _lock:
        _watched.add(reader)
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_look, name="git-watch", daemon=True)
            _thread.start()


def _look() -> None:
    while True:
        time.sleep(_EVERY)
        with _lock:
            watched = list(_watched)
        now = time.monotonic()
        for reader in watched:
            since, patience = reader.waiting_since, reader.patience
            if since is not None and patience is not None and now - since > patience:
                reader.end()
