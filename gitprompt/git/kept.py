# SPDX-License-Identifier: Apache-2.0
"""What reads and writes the objects of a few repositories, kept from one sync to the next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitprompt.git.objects import ObjectReader
from gitprompt.git.repository import Repository

if TYPE_CHECKING:
    from gitprompt.git.writer import ObjectWriter

_MAX_READERS = 8  # each is a process


class Kept:
    """Starting a reader takes half as long as a sync; a new writer reads all packed refs before it
    moves its first. For use by one thread at a time."""

    def __init__(self) -> None:
        self._readers: OrderedDict[str, ObjectReader] = OrderedDict()
        self._writers: dict[str, ObjectWriter] = {}

    @contextmanager
    def reader(self, repository: Repository) -> Iterator[ObjectReader]:
        reader = self._readers.pop(repository.git_dir, None) or repository.reader()
        try:
            yield reader
        except BaseException:
            reader.close()
            self._writers.pop(repository.git_dir, None)
            raise
        self._readers[repository.git_dir] = reader
        if len(self._readers) > _MAX_READERS:
            oldest, reader = self._readers.popitem(last=False)
            reader.close()
            self._writers.pop(oldest, None)

    def writer(self, repository: Repository) -> ObjectWriter:
        """A durable one."""
        found = self._writers.get(repository.git_dir)
        if found is None:
            from gitprompt.git.writer import ObjectWriter

            found = ObjectWriter(repository, durable=True)
            self._writers[repository.git_dir] = found
        return found

    def close(self) -> None:
        """End the git processes."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        self._writers.clear()
