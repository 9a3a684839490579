# SPDX-License-Identifier: Apache-2.0
"""One transaction on the refs of a repository, as it is stored for ever: a line of JSON, and a pack."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from gitprompt.errors import OriginUnreachable
from gitprompt.git.refs import RefUpdate, ref_of_text, text_of_ref

FORMAT = 1


class Entry(NamedTuple):
    """`repository` is the same in all entries of one, `before` the digest of the entry before this one (empty for
    the first); `head` is the branch that HEAD names."""

    repository: str
    before: str
    transaction: str
    node: str
    at: int
    head: str
    updates: Sequence[RefUpdate]
    pack: bytes

    def encoded(self) -> bytes:
        fields: dict[str, Any] = {
            "v": FORMAT,
            **self._asdict(),
            "updates": [(text_of_ref(ref), old, new) for ref, old, new in self.updates],
            "pack": len(self.pack),
        }
        return json.dumps(fields, ensure_ascii=False).encode() + b"\n" + self.pack


def decoded(data: bytes, where: str) -> Entry:
    """Raises OriginUnreachable for what is no entry, or one of a later gitprompt: it is never skipped."""
    line, newline, pack = data.partition(b"\n")
    try:
        fields = json.loads(line)
        version = fields.pop("v")
        if version != FORMAT:
            raise OriginUnreachable(
                f"{where} has the format {version}, and this gitprompt knows {FORMAT}",
                hint="Upgrade gitprompt on this node.",
            )
        if fields.pop("pack") != len(pack) or not newline:
            raise ValueError("it is cut")
        updates = [RefUpdate(ref_of_text(ref), old, new) for ref, old, new in fields["updates"]]
        if not all(map(_is_sound, updates)) or not _BRANCH.match(fields["head"]):
            raise ValueError("it names what is no ref or no object")
        return Entry(**{**fields, "updates": updates, "pack": pack})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise OriginUnreachable(
            f"{where} is no entry of a log: {error}", hint="Somebody else writes to this place."
        ) from None


def _is_sound(update: RefUpdate) -> bool:
    """Whether git may be told of it: what comes from a store is anybody's. Ours is what nobody else writes."""
    ref, old, new = update
    is_ref = _REF.match(ref) is not None and not ref.startswith("refs/gitprompt/")
    return is_ref and _OBJECT.match(old) is not None and _OBJECT.match(new) is not None


_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+\Z")
_BRANCH = re.compile(r"(?:refs/heads/[^\x00-\x20\x7f~^:?*\[\\]+)?\Z")
_OBJECT = re.compile(r"[0-9a-f]{40}\Z")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
