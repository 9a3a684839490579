# SPDX-License-Identifier: Apache-2.0
"""What the log of refs needs of a store: to create a key that is absent, and to read it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol

from gitprompt.drivers.claims import NotClaimed
from gitprompt.errors import OriginUnreachable

_PROBES = ".probes"  # a folder: no workspace is called so
_RIVALS = 8  # that create the same key at once, to see whether one wins


class ObjectStore(Protocol):
    """Keys and bytes. Methods raise OriginUnreachable, whose message has no secret."""

    def get(self, key: str) -> bytes | None:
        """None if it is not there."""

    def create(self, key: str, data: bytes) -> bool:
        """Store bytes under a key that is not there; False if it is. Of many who try at once one gets True."""

    def remove(self, key: str) -> None:
        """It is there no more. Only for what was made to try the store."""

    def first_after(self, folder: str, key: str) -> str | None:
        """The first key of a folder that comes after another one, in the order of bytes."""

    def folders(self, folder: str) -> list[str]:
        """The names of the folders in a folder."""


class StoreRefused(OriginUnreachable):
    """The store answers, and does not let us in."""


def check_store(store: ObjectStore, folder: str) -> None:
    """Raise NotClaimed for a store in which a key can be created twice: two nodes would overwrite each other."""
    key = f"{folder}{_PROBES}/{secrets.token_hex(8)}"
    with ThreadPoolExecutor(_RIVALS) as pool:
        attempt: Callable[[int], bool] = lambda at: store.create(key, str(at).encode())  # noqa: E731
        won = sum(pool.map(attempt, range(_RIVALS)))
    if won != 1 or store.create(key, b"late"):
        raise NotClaimed(
            f"the store creates a key more than once ({won} of {_RIVALS} who tried at once)",
            hint="It must keep If-None-Match: * on PUT, as S3, R2, GCS, MinIO, Ceph, and SeaweedFS since 4.17 do.",
        )
    with suppress(OriginUnreachable):  # whoever may not delete leaves it there
        store.remove(key)
