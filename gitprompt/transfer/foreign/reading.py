# SPDX-License-Identifier: Apache-2.0
"""Records out of files of any size: an array, pages as an API answers them (`{"data": […], "meta": …}`), one
record, or one a line; plain or gzip. No more than a record or two is in memory."""

from __future__ import annotations

import codecs
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple, cast

from gitprompt.errors import NotFound

_CHUNK = 1 << 20  # bytes that are read at once
_MOST = 1 << 28  # characters of one record
_ENDINGS = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
# What a page of an API begins with; a record begins with something of its own.
_PAGE = frozenset(
    ("data", "meta", "items", "results", "runs", "traces", "commits", "total", "totalItems", "totalPages", "page", "limit",
     "cursors", "next_page_token", "nextCursor", "registered_models", "model_versions")
)  # fmt: skip
_ABOUT_PAGES = frozenset(("meta", "cursors"))
_FIRST_KEY = re.compile(r'\{\s*"([A-Za-z_]{1,32})"\s*:\s*([\[{"n0-9])')
_HEAD = 256  # characters, within which the first key is
_SPACE = re.compile(r"[\s\x1e]*")  # with the record separator of RFC 7464


class FoundRecord(NamedTuple):
    """A record, and where it stands: the file, and its number there, from 1."""

    path: str
    number: int
    value: Any


class Broken(ValueError):
    """The input ends in the middle, or is no JSON; what came before has been given out."""


def files(paths: list[str]) -> Iterator[str]:
    """The files of paths, folders searched, in order of name. Raises NotFound for what is not there."""
    for path in paths:
        if os.path.isdir(path):
            found = sorted(
                os.path.join(folder, name)
                for folder, _, names in os.walk(path)
                for name in names
                if name.lower().endswith(_ENDINGS) and not name.startswith(".")
            )
            if not found:
                raise NotFound(
                    f"there are no exports in {path}", hint=f"It looks for {', '.join(_ENDINGS)}."
                )
            yield from found
        elif os.path.exists(path):
            yield path
        else:
            raise NotFound(f"there is no {path}", hint="--input is a file or a folder.")


def records(path: str) -> Iterator[FoundRecord]:
    """The records of a file. Raises Broken where it is cut or damaged, after those before that place."""
    try:
        with _opened(path) as file:
            for number, value in enumerate(_Reader(file).values(), 1):
                yield FoundRecord(path, number, value)
    except Broken as error:
        raise Broken(f"{path}: {error}") from None
    except OSError as error:
        raise Broken(f"{path}: {error.strerror}") from None


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    with open(path, "rb") as file:
        if file.peek(2)[:2] != b"\x1f\x8b":
            yield file
            return
        with gzip.open(file) as inside:
            yield cast("IO[bytes]", inside)


class _Reader:
    """A window over the text of a file, which grows until the next value is whole."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._is_done = False
        self._failure: Broken | None = None  # of what comes after the text that is here
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        # NaN and Infinity are no numbers of JSON, but Python writes them.
        self._decode = json.JSONDecoder(parse_constant=str).raw_decode

    def values(self) -> Iterator[Any]:
        while self._peek():
            if self._peek() == "[":
                yield from self._array()
            elif self._is_page():
                yield from self._page()
            else:
                yield self._value()
            if self._peek() == ",":  # one record a line, with the commas of an array
                self._at += 1
        if self._failure is not None:
            raise self._failure

    def _array(self) -> Iterator[Any]:
        self._at += 1
        while (char := self._peek()) != "]":
            if not char:
                raise self._failure or Broken("it ends in the middle of a list: the file was cut")
            yield self._value()
            if self._peek() == ",":
                self._at += 1
            elif self._peek() not in ("]", ""):
                raise self._malformed("a comma is missing between two records")
        self._at += 1

    def _is_page(self) -> bool:
        """Whether an object is what an API wraps its records in, by its first key."""
        while not self._is_done and len(self._text) - self._at < _HEAD:
            self._grow()
        match = _FIRST_KEY.match(self._text, self._at)
        return match is not None and match[1] in _PAGE and (match[1] != "data" or match[2] == "[")

    def _page(self) -> Iterator[Any]:
        self._at += 1
        while (char := self._peek()) != "}":
            if not char:
                raise self._failure or Broken("it ends in the middle of a page: the file was cut")
            key = self._value()
            if self._peek() != ":":
                raise self._malformed("a colon is missing")
            self._at += 1
            if self._peek() == "[":
                yield from self._array()
            else:
                value = self._value()
                if isinstance(value, dict) and key not in _ABOUT_PAGES:
                    yield value  # a list of one, or what nobody knows: not for us to leave out
            if self._peek() == ",":
                self._at += 1
        self._at += 1

    def _value(self) -> Any:
        while True:
            self._peek()
            try:
                value, end = self._decode(self._text, self._at)
                if end < len(self._text) or self._is_done:
                    has_halves = any(self._text.find(half, self._at, end) >= 0 for half in _HALVES)
                    self._at = end
                    return _without_halves(value) if has_halves else value
            except RecursionError:
                raise Broken("a record is nested too deeply") from None
            except json.JSONDecodeError as error:
                if self._is_done or not self._may_go_on(error):
                    raise self._malformed(error.msg, error.pos) from None
            except ValueError:  # Python's own bound
                raise Broken("it has a number of thousands of digits") from None
            self._grow()

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        """Whether more text could mend it, rather than that the text is wrong."""
        if len(self._text) - self._at > _MOST:
            return False
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - 16

    def _malformed(self, why: str, at: int | None = None) -> Broken:
        if self._failure is not None:
            return self._failure
        place = self._at if at is None else at
        if self._is_done and self._is_cut(why, self._text[place:].rstrip()):
            return Broken(_CUT)
        return Broken(f"it is no JSON: {why}, near {self._text[place:][:30]!r}")

    def _is_cut(self, why: str, rest: str) -> bool:
        """Whether what is left at the end could have been the beginning of something."""
        if "Unterminated" in why or (why.startswith("Invalid") and '"' not in rest):
            return True
        return any(word.startswith(rest) for word in _WORDS)

    def _peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_done:
                return ""
            self._grow()

    def _grow(self) -> None:
        """Read on; twice as much where the value is long, so that it is not parsed too often. What cannot be read is
        told once all before it is given out."""
        size = max(_CHUNK, len(self._text) - self._at)
        more = ""
        try:
            data = self._file.read1(size)  # type: ignore[attr-defined]
            self._is_done = not data
            more = self._decoder.decode(data, final=self._is_done)
        except UnicodeDecodeError as error:
            more = error.object[: error.start].decode("utf-8", "ignore")
            self._fail("it is not UTF-8" if not self._is_done else _CUT)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            self._fail(f"the gzip file is cut or damaged: {error}")
        except OSError as error:
            self._fail(str(error.strerror))
        self._text = self._text[self._at :] + more
        self._at = 0

    def _fail(self, why: str) -> None:
        self._is_done, self._failure = True, Broken(why)


_CUT = "it ends in the middle of a record: the file was cut"
_WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_HALVES = ("\\ud", "\\uD")


def _without_halves(value: Any) -> Any:
    """A value whose texts have no halves of a character, which are no Unicode."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(item) for key, item in value.items()}
    return value
