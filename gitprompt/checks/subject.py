# SPDX-License-Identifier: Apache-2.0
"""What a check looks at, and what it answers."""

from __future__ import annotations

from typing import Any, NamedTuple

from gitprompt.core.model import Kind
from gitprompt.formats.fragments import Inclusion


class Publication(NamedTuple):
    """The version that a document's `version` field names, if it is published already."""

    version: str
    digest: str


class Subject(NamedTuple):
    """One file or blob. `document` is what was parsed, with its fragments included; before the schema
    check, any JSON value. Of a fragment it is the text. `inclusion` says where what is from."""

    data: bytes
    document: Any
    path: str
    kind: Kind
    name: str
    version: str | None
    publication: Publication | None
    inclusion: Inclusion = Inclusion(None)


class Problem(NamedTuple):
    """What is wrong, and where: a path into the document and characters into a string there, or
    line and column of the file themselves."""

    code: str
    message: str
    hint: str = ""
    where: tuple[str | int, ...] = ()
    offset: int | None = None
    place: tuple[int, int] | None = None
