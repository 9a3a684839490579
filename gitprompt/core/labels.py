# SPDX-License-Identifier: Apache-2.0
"""Labels: names, refs, and the commit message that records a move.

Every move of a label is a commit on the label's ref. Its subject reads
`welcome: production → 1.2.0`, its body is the reason, and its trailers say the same to programs.
"""

from __future__ import annotations

import re
from types import EllipsisType
from typing import NamedTuple

from gitprompt.core.names import check_name
from gitprompt.core.settings import NAMESPACES
from gitprompt.core.versions import is_version, reads_as_version
from gitprompt.errors import Conflict, Invalid

MAX_LENGTH = 128
REMOVED = "none"

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_TRAILER = re.compile(r"^(Prompt|Label|Version|Previous): ([^\n]*)$", re.MULTILINE)


class MoveRecord(NamedTuple):
    """What one commit on a label's ref says. `version` None: the label was removed."""

    name: str
    label: str
    version: str | None
    previous: str | None
    reason: str = ""


def check_expected(name: str, label: str, now: str | None, expected: str | None) -> None:
    """Raise Conflict if a label is not at the version that somebody expects ('none': nowhere); None:
    they expect nothing."""
    if expected is not None and (now or "none") != expected:
        raise Conflict(
            f"{name} {label} is at {now or 'none'}, not at {expected}",
            hint="Somebody moved it: gitprompt label log says who and why.",
        )


def refuse_other(current: str | None, expected: str | EllipsisType | None) -> None:
    """Raise Conflict if a label points at another version than the one that somebody expects."""
    if expected is not ... and expected != current:
        raise Conflict(
            f"The label points at {current or 'nothing'}, not at {expected or 'nothing'}",
            hint="Somebody else moved it: look at its history, and try again.",
        )


def check_label(label: str) -> str:
    """Return `label`, or raise Invalid with the reason."""
    if len(label) > MAX_LENGTH:
        raise Invalid(f"label is {len(label)} characters long; at most {MAX_LENGTH}")
    if not _LABEL.match(label):
        raise Invalid(
            f"label {label!r} is not of the form [A-Za-z0-9][A-Za-z0-9_.-]*",
            hint="Use a word such as production, staging or canary-2.",
        )
    if ".." in label or label.endswith(".") or label.lower().endswith(".lock"):
        raise Invalid(f"label {label!r} is not valid in a Git ref ('..', final '.', '.lock')")
    if reads_as_version(label) or is_version(label):
        raise Invalid(f"label {label!r} reads as a version", hint="Use a word, not a number.")
    if label == "latest":
        raise Invalid(
            "label 'latest' is reserved", hint="Without a selector the newest version is served."
        )
    return label


def label_ref(name: str, label: str, *, namespace: str = NAMESPACES[0]) -> str:
    return f"{namespace}/{name}@{label}"


def split_label_ref(ref: str, *, namespace: str = NAMESPACES[0]) -> tuple[str, str]:
    """Name and label of `<namespace>/<name>@<label>`; raises Invalid if either is not valid."""
    name, at, label = ref.removeprefix(namespace + "/").partition("@")
    if not at:
        raise Invalid(
            f"{ref} is not a label: there is no '@'",
            hint=f"A label is {namespace}/<name>@<label>.",
        )
    return check_name(name), check_label(label)


def move_message(move: MoveRecord) -> str:
    """The commit message of a move; `parse_move` reads it back.

    Only the last paragraph has trailers, so no reason can change what a move says; Git cuts a
    message at a NUL byte, so there is none.
    """
    target = move.version or REMOVED
    reason = move.reason.replace("\0", "").replace("\r", "").strip()
    body = f"{reason}\n\n" if reason else ""
    return (
        f"{move.name}: {move.label} → {target}\n\n{body}"
        f"Prompt: {move.name}\nLabel: {move.label}\nVersion: {target}\n"
        f"Previous: {move.previous or REMOVED}\n"
    )


def parse_move(message: str) -> MoveRecord | None:
    """The move that `message` records, or None if the commit is not a move commit."""
    head, _, tail = message.rstrip("\n").rpartition("\n\n")
    trailers = dict(_TRAILER.findall(tail))
    if not trailers.keys() >= {"Prompt", "Label", "Version"}:
        return None
    version, previous = trailers["Version"], trailers.get("Previous", REMOVED)
    return MoveRecord(
        name=trailers["Prompt"],
        label=trailers["Label"],
        version=None if version == REMOVED else version,
        previous=None if previous == REMOVED else previous,
        reason=head.partition("\n")[2].strip(),
    )
