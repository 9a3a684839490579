# SPDX-License-Identifier: Apache-2.0
"""Text that prompts share: `{{> name}}` in a template stands for the text of
prompts/_fragments/<name>.md, without its last line end.

The text takes the place of the tag before anything else happens to a document: what is checked,
compared, digested, rendered and served is the text after inclusion. A tag alone on its line gives
each line of the text its indentation, as Mustache's partials do. A fragment may include others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gitprompt import formats
from gitprompt.core.document import FRAGMENTS, fragment_path
from gitprompt.core.messages import Where, templates
from gitprompt.core.names import check_fragment_name
from gitprompt.core.template import Tag, TemplateError, compile_template
from gitprompt.errors import Invalid

MAX_DEPTH = 8
MAX_TEXT = formats.MAX_BYTES  # characters of a document's texts after inclusion
MAX_TAGS = 1_000  # of one text
_MAX_WORK = MAX_DEPTH * MAX_TEXT  # characters of all that is put together on the way there

Source = Callable[[str], bytes | None]
"""The bytes of the fragment of a name; None if there is none."""


class Trouble(NamedTuple):
    """Why a text cannot be included, and where its tag is."""

    message: str
    hint: str
    where: Where
    offset: int


class Piece(NamedTuple):
    """From `start` in a text after inclusion on: what began at `origin` in the text before, or what
    the tag there has brought from a fragment."""

    start: int
    origin: int
    fragment: str = ""


class Inclusion(NamedTuple):
    """A document after inclusion; as it was, if there are troubles. `files` has the bytes of each
    fragment that was read, `pieces` where the texts that changed come from."""

    document: Any
    troubles: tuple[Trouble, ...] = ()
    files: Mapping[str, bytes] = {}
    pieces: Mapping[Where, Sequence[Piece]] = {}

    def origin(self, where: Where, offset: int) -> tuple[int, str]:
        """Where a character after inclusion was before, or the tag that brought it; and the name of
        its fragment, if it is from one."""
        pieces = self.pieces.get(where)
        if pieces is None:
            return offset, ""
        piece = next(piece for piece in reversed(pieces) if piece.start <= offset)
        shift = 0 if piece.fragment else offset - piece.start
        return piece.origin + shift, piece.fragment


def text_of(data: bytes) -> str:
    """The text of a fragment's file: its line ends are LF, as YAML has them. Raises FormatError."""
    text = formats.decode(data).replace("\r\n", "\n")
    formats.refuse_conflict_markers(text)
    return text.removesuffix("\n")


def are_in(document: Any) -> bool:
    """Whether a document, valid or not, includes a fragment."""
    return any(_tags(text) for _, text in _templates(document))


def are_in_file(data: bytes, path: str) -> bool:
    """Whether a document's file does; not one that cannot be read, which a check reports."""
    if b"{" not in data:
        return False
    try:
        return are_in(formats.read(data, path))
    except formats.FormatError:
        return False


def include(document: Any, source: Source | None) -> Inclusion:
    """Put the fragments of `source` into a document. None: there can be none where it lies."""
    texts = [(where, text) for where, text in _templates(document) if _tags(text)]
    if not texts:
        return Inclusion(document)
    expansion = _Expansion(source)
    for where, text in texts:
        expansion.expand_at(where, text)
    if expansion.troubles:
        return Inclusion(document, tuple(expansion.troubles), expansion.files)
    for where, text in expansion.texts.items():
        document = _with(document, where, text)
    return Inclusion(document, (), expansion.files, expansion.pieces)


def _with(value: Any, where: Where, text: str) -> Any:
    """A copy with a text in place; what is beside the way to it is shared."""
    if not where:
        return text
    changed: Any = dict(value) if isinstance(value, dict) else list(value)
    changed[where[0]] = _with(value[where[0]], where[1:], text)
    return changed


def include_in_fragment(name: str, text: str, source: Source | None) -> Inclusion:
    """The same for the text of a fragment, which is the document here."""
    if not _tags(text):
        return Inclusion(text)
    expansion = _Expansion(source, (name,))
    expansion.expand_at((), text)
    if expansion.troubles:
        return Inclusion(text, tuple(expansion.troubles), expansion.files)
    return Inclusion(expansion.texts[()], (), expansion.files, expansion.pieces)


def _templates(document: Any) -> Iterator[tuple[Where, str]]:
    """The templates of what may not have the shape of a prompt."""
    messages = document.get("messages") if isinstance(document, dict) else None
    if isinstance(messages, list) and all(
        isinstance(message, dict) and isinstance(message.get("role", ""), str)
        for message in messages
    ):
        yield from templates(messages)


def _tags(text: str) -> Sequence[Tag]:
    """The tags that include a fragment."""
    if "{{>" not in text and "{{=" not in text:
        return ()
    try:
        return list(compile_template(text).partials)
    except TemplateError:
        return ()  # the check of templates says so


class _Refusal(Exception):
    def __init__(self, message: str, hint: str) -> None:
        self.message = message
        self.hint = hint


def _too_much() -> _Refusal:
    return _Refusal(
        f"with its fragments the text has more than {MAX_TEXT} characters", "Include less."
    )


class _Expansion:
    """The inclusion into one document: each fragment is read and expanded once."""

    def __init__(self, source: Source | None, chain: tuple[str, ...] = ()) -> None:
        self.source = source
        self.chain = chain
        self.troubles: list[Trouble] = []
        self.texts: dict[Where, str] = {}
        self.pieces: dict[Where, Sequence[Piece]] = {}
        self.files: dict[str, bytes] = {}
        self._expanded: dict[str, tuple[str, int]] = {}  # the text, and how deep it nests
        self._room = MAX_TEXT
        self._work = _MAX_WORK

    def expand_at(self, where: Where, text: str) -> None:
        """Expand a text of the document; every tag of it that cannot be is a trouble."""
        replaced: list[tuple[Tag, str]] = []
        tags = _tags(text)
        try:
            _check_source(text, tags)
        except _Refusal as refusal:
            first = tags[0].offset
            self.troubles.append(Trouble(refusal.message, refusal.hint, where, first))
            return
        for tag in tags:
            try:
                replaced.append((tag, self._fragment(tag.key, self.chain)[0]))
            except _Refusal as refusal:
                self.troubles.append(Trouble(refusal.message, refusal.hint, where, tag.offset))
        if self.troubles:
            return
        try:
            self.texts[where], self.pieces[where] = self._replaced(text, replaced)
            self._room -= len(self.texts[where])
            if self._room < 0:
                raise _too_much()
        except _Refusal as refusal:
            self.troubles.append(Trouble(refusal.message, refusal.hint, where, 0))

    def _fragment(self, name: str, chain: tuple[str, ...]) -> tuple[str, int]:
        """The expanded text of a fragment, and the depth of what it includes, itself counted."""
        way = " → ".join((*chain, name))
        if name in chain:
            raise _Refusal(f"a fragment includes itself: {way}", "Take one of the tags out.")
        known = self._expanded.get(name)
        if len(chain) + (known[1] if known else 1) > MAX_DEPTH:
            raise _Refusal(
                f"fragments are nested deeper than {MAX_DEPTH}: {way}", "Write some of them out."
            )
        if known is None:
            known = self._expanded[name] = self._expand(name, self._read(name), (*chain, name))
        return known

    def _expand(self, name: str, text: str, chain: tuple[str, ...]) -> tuple[str, int]:
        try:
            compile_template(text)
        except TemplateError as error:
            raise _Refusal(f"the fragment {name}: {error.message}", error.hint) from None
        tags = _tags(text)
        _check_source(text, tags)
        depth = 1
        replaced: list[tuple[Tag, str]] = []
        for tag in tags:
            inner, below = self._fragment(tag.key, chain)
            replaced.append((tag, inner))
            depth = max(depth, below + 1)
        return (self._replaced(text, replaced)[0] if replaced else text), depth

    def _replaced(
        self, text: str, replaced: Sequence[tuple[Tag, str]]
    ) -> tuple[str, Sequence[Piece]]:
        """The text with each tag replaced, and where its pieces come from. Lines are indented and
        texts are doubled only as far as the result may become."""
        sizes = (len(inner) + inner.count("\n") * _indent(text, tag) for tag, inner in replaced)
        self._work -= len(text) + sum(sizes)
        if self._work < 0:
            raise _too_much()
        return _replaced(text, replaced)

    def _read(self, name: str) -> str:
        try:
            path = fragment_path(check_fragment_name(name))
        except Invalid as error:
            raise _Refusal(error.message, error.hint) from None
        if self.source is None:
            raise _Refusal(
                f"{{{{> {name}}}}} cannot be included: this document is tagged by itself, without"
                " the tree that would have the fragment",
                "Tag a commit that has both, as `gitprompt publish` does, or write the text out.",
            )
        data = self.source(name)
        if data is None:
            raise _Refusal(f"there is no fragment {path}", "Write that file, and commit it too.")
        self.files[name] = data
        try:
            return text_of(data)
        except formats.FormatError as error:
            raise _Refusal(f"{path}: {error.message}", error.hint) from None


def _check_source(text: str, tags: Sequence[Tag]) -> None:
    """Raise _Refusal for a text that can include no fragment, nor be one."""
    if len(tags) > MAX_TAGS:
        raise _Refusal(f"one text includes more than {MAX_TAGS} fragments", "Include less.")
    if "{{=" in text:
        raise _Refusal(
            "a text that changes the delimiters cannot include a fragment, nor be one",
            "Keep {{ and }} there, and pass in what has braces as a variable.",
        )


_END_OF_LINE = r"[ \t]*(\n|\r\n|\Z)"


def _indent(text: str, tag: Tag) -> int:
    """How many characters stand before a tag on its line."""
    return tag.offset - (text.rfind("\n", 0, tag.offset) + 1)


def _replaced(text: str, replaced: Sequence[tuple[Tag, str]]) -> tuple[str, Sequence[Piece]]:
    """The text with each tag replaced, and where its pieces come from."""
    out: list[str] = []
    pieces = [Piece(0, 0)]
    at = length = 0
    for tag, inner in replaced:
        begin, end = tag.offset, text.index("}}", tag.offset) + 2
        line = text.rfind("\n", 0, begin) + 1
        rest = re.compile(_END_OF_LINE).match(text, end)
        if rest is not None and not text[line:begin].strip(" \t"):  # alone on its line
            if inner:
                inner = inner.replace("\n", "\n" + text[line:begin])
                end = rest.start(1)
            else:
                begin, end = line, rest.end()
        before = text[at:begin]
        out += (before, inner)
        length += len(before)
        pieces += (Piece(length, tag.offset, tag.key), Piece(length + len(inner), end))
        length += len(inner)
        at = end
    out.append(text[at:])
    return "".join(out), pieces


class Files:
    """The fragments in a folder on the disk; `names` are those that were asked for."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.realpath(folder)
        self.names: set[str] = set()

    def __call__(self, name: str) -> bytes | None:
        path = os.path.join(self._folder, f"{name}.md")
        self.names.add(name)
        if os.path.realpath(path) != path or not os.path.isfile(path):  # a link is no document
            return None
        with open(path, "rb") as file:
            return file.read(formats.MAX_BYTES + 1)


def of_work_tree(top: str) -> Files:
    """The fragments of the work tree below `top`."""
    return Files(os.path.join(top, FRAGMENTS))
