# SPDX-License-Identifier: Apache-2.0
"""What is stored for ever: transactions on the refs of a repository, and checkpoints, which say what the refs were
after one. Each is a line of JSON, and bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt.errors import OriginUnreachable
from gitprompt.git.refs import RefUpdate, ref_of_text, text_of_ref

FORMAT = 1


class Entry(NamedTuple):
    """`repository` is the same in all entries of one, `before` the digest of the entry before this one (empty for
    the first); `head` is the branch that HEAD names. The objects are in `pack`, or, if they are many, in a pack that
    is stored in `pieces`, which are named by their digests."""

    repository: str
    before: str
    transaction: str
    node: str
    at: int
    head: str
    updates: Sequence[RefUpdate]
    pack: bytes
    pieces: Sequence[str] = ()

    def encoded(self) -> bytes:
        fields = {
            **self._asdict(),
            "updates": [(text_of_ref(ref), old, new) for ref, old, new in self.updates],
        }
        return _encoded(fields, "pack", self.pack)


class Checkpoint(NamedTuple):
    """The refs after the entry of this number, whose digest is `digest`, and all their objects: packs, each in
    pieces."""

    repository: str
    digest: str
    number: int
    head: str
    packs: Sequence[Sequence[str]]
    refs: Mapping[str, str]

    def encoded(self) -> bytes:
        text = "".join(f"{oid} {text_of_ref(ref)}\n" for ref, oid in sorted(self.refs.items()))
        return _encoded(self._asdict(), "refs", gzip.compress(text.encode(), mtime=0))


def entry_of(data: bytes, where: str) -> Entry:
    """Raises OriginUnreachable for what is no entry, or one of a later gitprompt: it is never skipped."""
    try:
        fields = _fields(data, where, "pack")
        updates = [RefUpdate(ref_of_text(ref), old, new) for ref, old, new in fields["updates"]]
        if not all(map(_is_sound, updates)) or not _is_branch(fields["head"]):
            raise ValueError("it names what is no ref or no object")
        if not all(map(_DIGEST.match, fields["pieces"])):
            raise ValueError("it names what is no piece of a pack")
        return Entry(**{**fields, "updates": updates})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unknown(where, "entry", error) from None


def checkpoint_of(data: bytes, where: str) -> Checkpoint:
    """Raises OriginUnreachable as `entry_of` does."""
    try:
        fields = _fields(data, where, "refs")
        text = gzip.decompress(fields["refs"]).decode()
        if not _REFS.fullmatch(text) or not _is_branch(fields["head"]):
            raise ValueError("it names what is no ref or no object")
        if not all(_DIGEST.match(piece) for pieces in fields["packs"] for piece in pieces):
            raise ValueError("it names what is no piece of a pack")
        refs = {ref_of_text(line[41:]): line[:40] for line in text.split("\n") if line}
        if not all(map(_is_ref, refs)):
            raise ValueError("it names what is no ref or no object")
        return Checkpoint(**{**fields, "refs": refs})
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
        EOFError,
        OSError,
        zlib.error,
    ) as error:
        raise _unknown(where, "checkpoint", error) from None


def _encoded(fields: Mapping[str, Any], rest: str, data: bytes) -> bytes:
    line = json.dumps({"v": FORMAT, **fields, rest: len(data)}, ensure_ascii=False)
    return line.encode() + b"\n" + data


def _fields(data: bytes, where: str, rest: str) -> dict[str, Any]:
    """Those of the first line; `rest` are the bytes after it. Raises what any wrong text may."""
    line, newline, after = data.partition(b"\n")
    fields: dict[str, Any] = json.loads(line)
    version = fields.pop("v")
    if version != FORMAT:
        raise OriginUnreachable(
            f"{where} has the format {version}, and this gitprompt knows {FORMAT}",
            hint="Upgrade gitprompt on this node.",
        )
    if fields[rest] != len(after) or not newline:
        raise ValueError("it is cut")
    return {**fields, rest: after}


def _unknown(where: str, what: str, error: Exception) -> OriginUnreachable:
    return OriginUnreachable(
        f"{where} is no {what} of a log: {error}", hint="Somebody else writes to this place."
    )


def _is_sound(update: RefUpdate) -> bool:
    """Whether git may be told of it: what comes from a store is anybody's. Ours is what nobody else writes."""
    ref, old, new = update
    return _is_ref(ref) and _OBJECT.match(old) is not None and _OBJECT.match(new) is not None


def _is_branch(head: str) -> bool:
    return not head or (head.startswith("refs/heads/") and _is_ref(head))


def _is_ref(ref: str) -> bool:
    """By the rules of `git check-ref-format`: git itself does not look at what is in packed-refs."""
    return (
        _REF.match(ref) is not None
        and not any(part in ref for part in ("..", "//", "@{", "/.", ".lock/"))
        and not ref.endswith((".", "/", ".lock"))
    )


_IN_REF = r"[^\x00-\x20\x7f~^:?*\[\\]"
_REF = re.compile(rf"refs/(?!gitprompt/){_IN_REF}+\Z")
_REFS = re.compile(r"(?:[0-9a-f]{40} refs/(?!gitprompt/)[^\x00-\x20\x7f~^:?*\[]+\n)*")
_OBJECT = re.compile(r"[0-9a-f]{40}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
