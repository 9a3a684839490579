# SPDX-License-Identifier: Apache-2.0
"""A sidecar that is asked again where it is busy, by whoever has thousands of questions."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gitprompt.cli.client import ServerRefused
from gitprompt.errors import UsageError


class Patient:
    """The sidecar, asked again where it is busy."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get(self, path: str) -> Any:
        return self._asked(partial(self._client.get, path))

    def post(self, path: str, body: Any = None) -> Any:
        from gitprompt.transfer.importing.sending import Refused

        try:
            return self._asked(partial(self._client.post, path, body))
        except ServerRefused as error:
            if error.answered in (400, 404, 409, 413, 422):
                raise Refused(f"{error.message} {error.hint}".strip()) from error
            raise
        except UsageError as error:
            raise Refused(error.message) from error

    def _asked(self, ask: Callable[[], Any]) -> Any:
        for attempt in range(_TRIES):
            try:
                return ask()
            except ServerRefused as error:
                if error.answered not in (429, 503) or attempt + 1 == _TRIES:
                    raise
                time.sleep(min(2.0**attempt / 2, 30.0))
        raise AssertionError("the last try returns or raises")


_TRIES = 8
