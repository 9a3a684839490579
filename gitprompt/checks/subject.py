# SPDX-License-Identifier: Apache-2.0
"""What a check looks at, and what it answers."""

from __future__ import annotations

from typing import Any, NamedTuple

from gitprompt.core.model import Kind


class Publication(NamedTuple):
    """The version that a document's `version` field names, if it is published already."""

    version: str
    digest: str


class Subject(NamedTuple):
    """One file or blob. `document` is what was parsed; before the schema check, any JSON value."""

    data: bytes
    document: Any
    path: str
    kind: Kind
    name: str
    version: str | None
    publication: Publication | None


class Problem(NamedTuple):
    """What is wrong, and where: a path into the document and characters into a string there, or
    line and column of the file themselves."""

    code: str
    message: str
    hint: str = ""
    where: tuple[str | int, ...] = ()
    offset: int | None = None
    place: tuple[int, int] | None = None
