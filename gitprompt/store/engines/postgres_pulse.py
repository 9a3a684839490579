# SPDX-License-Identifier: Apache-2.0
"""Looks at the database twice a second: what another node has changed is known within a second, without
LISTEN, which poolers and some engines lack."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

import psycopg

from gitprompt.store.engines.postgres_link import SCHEMA, PostgresAddress

_SECONDS = 0.5
_KEYS = f"SELECT value FROM {SCHEMA}.generation WHERE kind = 'keys'"


class Pulse:
    """A number that changes whenever an API key is made or removed, by whichever node."""

    def __init__(self, place: PostgresAddress) -> None:
        self._place = place
        self._session: psycopg.Connection[Any] | None = place.first()
        self._seen: Any = None
        self._value = 0
        self._looking = threading.Lock()
        self._begun = 0.0  # when the last look began
        self._look()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="postgres-pulse", daemon=True)
        self._thread.start()

    @property
    def value(self) -> int:
        return self._value

    def advance(self) -> None:
        """Let this process look again; others see it in the table."""
        self._value += 1

    def look(self) -> None:
        asked = time.monotonic()
        with suppress(psycopg.Error), self._looking:
            if self._begun < asked:  # else somebody has looked while this one waited
                self._look()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        if self._session is not None:
            self._session.close()

    def _work(self) -> None:
        while not self._stop.wait(_SECONDS):
            self.look()  # whether the database answers, whoever asks it himself is told

    def _look(self) -> None:
        self._begun = time.monotonic()
        if self._session is None or self._session.closed:
            self._session = self._place.open()
        seen = self._session.execute(_KEYS).fetchone()
        if seen != self._seen:
            self._seen = seen
            self._value += 1
