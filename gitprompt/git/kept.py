# SPDX-License-Identifier: Apache-2.0
"""What reads and writes the objects of repositories, kept from one sync or write to the next."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitprompt.git.objects import ObjectReader
from gitprompt.git.repository import Repository

if TYPE_CHECKING:
    from gitprompt.git.writer import ObjectWriter

_MAX_READERS = 8  # each is a process

_Key = tuple[str, int]


class Kept:
    """Starting a reader takes half as long as a sync; a new writer reads all packed refs before it
    moves its first. Each repository is for one thread at a time."""

    def __init__(self) -> None:
        self._readers: OrderedDict[_Key, ObjectReader] = OrderedDict()
        self._writers: dict[_Key, ObjectWriter] = {}

    @contextmanager
    def reader(self, repository: Repository) -> Iterator[ObjectReader]:
        key = _key(repository)
        reader = self._readers.pop(key, None) or repository.reader()
        try:
            yield reader
        except BaseException:
            reader.close()
            self._writers.pop(key, None)
            raise
        self._readers[key] = reader
        if len(self._readers) > _MAX_READERS:
            oldest, reader = self._readers.popitem(last=False)
            reader.close()
            self._writers.pop(oldest, None)

    def writer(self, repository: Repository) -> ObjectWriter:
        """A durable one; it goes with the repository's reader, if there is one."""
        key = _key(repository)
        writer = self._writers.get(key)
        if writer is None:
            from gitprompt.git.writer import ObjectWriter

            writer = self._writers[key] = ObjectWriter(repository, durable=True)
        return writer

    def close(self) -> None:
        """End the git processes."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        self._writers.clear()


def _key(repository: Repository) -> _Key:
    """One that was put in the place of another, as a backup is, has its path but not its inode."""
    try:
        return repository.git_dir, os.stat(repository.git_dir).st_ino
    except OSError:
        return repository.git_dir, 0
