# SPDX-License-Identifier: Apache-2.0
"""A counter in a file that processes share as memory: reading it costs no system call.

Whoever changes something that others keep in memory advances it; they look at it before they trust
what they keep.
"""

from __future__ import annotations

import mmap
import os
import struct

from gitprompt.errors import SetupError

_NUMBER = struct.Struct("<Q")


class Generation:
    """The counter at `path`, made if absent. An advance that two processes make at the same moment
    may count once: it is seen all the same."""

    def __init__(self, path: str) -> None:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.ftruncate(descriptor, _NUMBER.size)
                self._memory = mmap.mmap(descriptor, _NUMBER.size)
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            raise SetupError(
                f"{path} cannot be used: {error}", hint="Repair its permissions, or delete it."
            ) from error

    def advance(self) -> None:
        _NUMBER.pack_into(self._memory, 0, (self.value + 1) % (1 << 64))

    def look(self) -> None:
        """The memory is that of all processes."""

    @property
    def value(self) -> int:
        number: int = _NUMBER.unpack_from(self._memory)[0]
        return number

    def close(self) -> None:
        self._memory.close()
