# SPDX-License-Identifier: Apache-2.0
"""Names of another system that cannot be ours: of prompts, and of people."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from gitprompt.core.names import fold, is_name
from gitprompt.core.versions import reads_as_version
from gitprompt.git.objects import Signature
from gitprompt.transfer.foreign.records import Losses


def signature_of(name: str, house: str, at: int) -> Signature:
    """Whoever it was there. An address is taken as one; another name gets one that reaches nobody."""
    clean = re.sub(r"[<>\s\x00-\x1f\x7f]+", " ", name).strip(" .,:;'\"")[:100] or house
    email = clean if re.fullmatch(r"[^@ ]+@[^@ ]+", clean) else None
    local = re.sub(r"[^A-Za-z0-9._-]+", "-", clean).strip("-.")[:60] or "someone"
    return Signature(clean, email or f"{local}@{house}.invalid", at)


class OurNames:
    """Our names of their prompts: the same, or the nearest that nobody has. A changed one is noted in the metadata of
    its versions, so that the next run knows it again."""

    def __init__(self, there: Mapping[str, str], losses: Losses) -> None:
        """`there`: the prompts that exist, with the name that each was changed from; "" if it is its own."""
        self._losses = losses
        self._ours: dict[str, str] = {}
        self._spelled = {fold(name) for name in there}
        self._own = set(there)
        self._changed = {theirs: name for name, theirs in there.items() if theirs}

    def take(self, names: Sequence[str]) -> None:
        """Names that can be ours come first: no changed one takes theirs."""
        taken: set[str] = set()
        for name in sorted(names, key=lambda one: (nearest_name(one) != one, one)):
            wanted = nearest_name(name)
            found = self._changed.get(name)
            if found is None:
                found = wanted
                is_there = fold(found) in self._spelled and (
                    found != name or found not in self._own
                )
                if fold(found) in taken or is_there:
                    found = f"{wanted}-{hashlib.blake2b(name.encode(), digest_size=3).hexdigest()}"
            taken.add(fold(found))
            self._ours[name] = found
            if found != name:
                why = (
                    "cannot be a name here"
                    if wanted != name
                    else "differs only in case from another"
                )
                self._losses.add(
                    "prompt.name",
                    f"{why}: it is changed, and traces go on naming the old one",
                    f"{name} → {found}",
                )

    def ours(self, name: str) -> str:
        return self._ours[name]


def nearest_name(name: str) -> str:
    """A name, or the nearest text that can be one."""
    if is_name(name):
        return name
    segments: list[str] = []
    for segment in re.split(r"/+", name.strip("/")):
        clean = re.sub(r"[^A-Za-z0-9_.-]+", "-", segment).strip("-.") or "unnamed"
        clean = re.sub(r"\.{2,}", ".", clean).removesuffix(".lock")
        if segments and reads_as_version(clean):
            clean = f"v-{clean}"
        segments.append(clean)
    found = "/".join(segments[:7] + (["-".join(segments[7:])] if segments[7:] else []))[
        :120
    ].rstrip("/.-")
    return found if is_name(found) else f"{found}-prompt"
