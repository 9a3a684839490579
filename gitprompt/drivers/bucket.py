# SPDX-License-Identifier: Apache-2.0
"""Any store of obstore as an `ObjectStore`: S3 and what speaks its protocol, a folder, or memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from gitprompt.drivers.objects import StoreRefused
from gitprompt.errors import OriginUnreachable


class Bucket:
    """`name` is what people call it."""

    def __init__(self, store: Any, name: str) -> None:
        self._store = store
        self.name = name

    def get(self, key: str) -> bytes | None:
        with self._told():
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError:
                return None

    def create(self, key: str, data: bytes) -> bool:
        with self._told():
            try:
                obstore.put(self._store, key, data, mode="create")
            except AlreadyExistsError:
                return False
            return True

    def remove(self, key: str) -> None:
        with self._told():
            obstore.delete(self._store, key)

    def first_after(self, folder: str, key: str) -> str | None:
        """Of few: not every store lists in order."""
        with self._told():
            pages = obstore.list(self._store, prefix=folder, offset=key)
            return min((str(item["path"]) for page in pages for item in page), default=None)

    def folders(self, folder: str) -> list[str]:
        with self._told():
            found = obstore.list_with_delimiter(self._store, prefix=folder)
            return [str(path).rstrip("/").rpartition("/")[2] for path in found["common_prefixes"]]

    def listed(self, folder: str) -> list[tuple[str, int]]:
        with self._told():
            pages = obstore.list(self._store, prefix=folder)
            items = (item for page in pages for item in page)
            return [(str(item["path"]), int(item["last_modified"].timestamp())) for item in items]

    def get_tagged(self, key: str) -> tuple[bytes, str] | None:
        with self._told():
            try:
                found = obstore.get(self._store, key)
            except FileNotFoundError:
                return None
            return bytes(found.bytes()), str(found.meta["e_tag"])

    def replace(self, key: str, data: bytes, tag: str) -> bool:
        with self._told():
            try:
                obstore.put(self._store, key, data, mode={"e_tag": tag})
            except (PreconditionError, FileNotFoundError):
                return False
            return True

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StoreRefused(f"{self.name}: {said(error)}") from None
        except (BaseError, OSError) as error:
            raise OriginUnreachable(f"{self.name}: {said(error)}") from None


def said(error: Exception) -> str:
    """The first line of what the store said: the rest is for who writes obstore."""
    return str(error).partition("\n")[0]
