# SPDX-License-Identifier: Apache-2.0
"""Names of another system that cannot be ours: of prompts, and of people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

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
    """Our names of their prompts: the same, or the nearest that can be one."""

    def __init__(self, there: Iterable[tuple[str, str]], losses: Losses) -> None:
        self._losses = losses
        self._ours: dict[str, str] = {}
        self._spelled = {fold(name): name for name, _ in there}

    def take(self, names: Sequence[str]) -> None:
        taken: set[str] = set()
        for name in names:
            wanted = _valid(name)
            found, number = wanted, 1
            while fold(found) in taken or self._spelled.get(fold(found), found) != found:
                number += 1
                found = f"{wanted}-{number}"
            taken.add(fold(found))
            self._ours[name] = found
            if wanted != name:
                self._losses.add(
                    "prompt.name", "cannot be a name here: it is changed", f"{name} → {found}"
                )
            elif found != wanted:
                self._losses.add(
                    "prompt.name",
                    "differs only in case from another: it is numbered",
                    f"{name} → {found}",
                )

    def ours(self, name: str) -> str:
        return self._ours[name]


def _valid(name: str) -> str:
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
