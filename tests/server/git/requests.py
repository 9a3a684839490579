# SPDX-License-Identifier: Apache-2.0
"""What git sends to a server, made by hand."""

from __future__ import annotations

from gitprompt.git.refs import ZERO
from gitprompt.git.repository import Repository
from tests.world import Clone


def packet(line: str) -> bytes:
    return f"{len(line.encode()) + 4:04x}{line}".encode()


def push_of(clone: Clone, *refs: str) -> bytes:
    """The body of a push that creates refs of a clone."""
    oids = [clone.git("rev-parse", ref) for ref in refs]
    commands = [f"{ZERO} {oid} {ref}" for oid, ref in zip(oids, refs, strict=True)]
    first, *others = commands
    lines = [f"{first}\0report-status object-format=sha1\n", *(f"{line}\n" for line in others)]
    pack = Repository.open(str(clone.path)).git(
        "pack-objects", "--stdout", "--revs", "-q", stdin="\n".join(oids).encode()
    )
    return b"".join(packet(line) for line in lines) + b"0000" + pack
