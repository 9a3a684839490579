# SPDX-License-Identifier: Apache-2.0
"""Reads the body of a request: bounded, JSON, of a shape; all that is wrong with it at once."""

from __future__ import annotations

import re
import zlib
from functools import cache
from typing import Any

import msgspec
from starlette.types import Scope

from gitprompt.core.document import pointer
from gitprompt.errors import BadRequest, Invalid, PayloadTooLarge, UnsupportedMediaType
from gitprompt.formats.wording import Fault, faults

MAX_BYTES = 10_000_000
_MAX_PROBLEMS = 20


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


def read_json(scope: Scope, body: bytes, *, shape: Any) -> Any:
    """The body as `shape`. Raises BadRequest or Invalid."""
    return decode(body, shape)


def is_json(content_type: bytes) -> bool:
    media = content_type.partition(b";")[0].strip().lower()
    return media == b"application/json" or media.endswith(b"+json")


def unpacked(body: bytes, encoding: bytes, limit: int) -> bytes:
    """The body without its compression, never more than `limit` bytes of it."""
    encoding = encoding.strip().lower()
    if encoding in (b"", b"identity"):
        return body
    if encoding == b"zstd":
        return _without_zstd(body, limit)
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        raise UnsupportedMediaType("Content-Encoding must be gzip, deflate, zstd or none")
    form = zlib.MAX_WBITS | 32  # the head says whether it is gzip or zlib
    if encoding == b"deflate" and not _has_zlib_head(body):
        form = -zlib.MAX_WBITS  # what some call deflate: without a head
    name = encoding.decode().removeprefix("x-")
    try:
        decompressor = zlib.decompressobj(form)
        data = decompressor.decompress(body, limit + 1)
    except zlib.error:
        raise BadRequest(f"the body is not valid {name}") from None
    _check_size(data, limit)
    if not decompressor.eof or decompressor.unused_data:
        raise BadRequest(f"the body is not valid {name}")
    return data


def _has_zlib_head(body: bytes) -> bool:
    return len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0


def _check_size(data: bytes, limit: int) -> None:
    if len(data) > limit:
        raise PayloadTooLarge(f"the body is larger than {limit} bytes")


def _without_zstd(body: bytes, limit: int) -> bytes:
    try:
        import zstandard
    except ImportError:
        raise UnsupportedMediaType(
            "Content-Encoding zstd is not understood here",
            hint="Install zstandard beside the server, or send gzip.",
        ) from None
    try:
        with zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(body) as reader:
            data: bytes = reader.read(limit + 1)
    except zstandard.ZstdError:
        raise BadRequest("the body is not valid zstd") from None
    _check_size(data, limit)
    return data


_MAX_WINDOW = 8 << 20  # bytes that a frame may ask for


def decode(body: bytes, shape: Any) -> Any:
    try:
        return _decoder(shape).decode(body)
    except msgspec.ValidationError as error:
        first = str(error)
    except msgspec.DecodeError as error:
        raise _malformed(str(error)) from None
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    raise _invalid(body, shape, first)


def _malformed(why: str) -> BadRequest:
    return BadRequest(f"Malformed JSON: {why}")


def encode(value: Any) -> str:
    """JSON for a column. Raises Invalid for an integer that JSON's readers cannot hold."""
    try:
        return msgspec.json.encode(value).decode()
    except (OverflowError, RecursionError):
        raise Invalid("a number is too large, or the nesting too deep") from None


def encode_optional(value: Any) -> str | None:
    return None if value is None else encode(value)


def _invalid(body: bytes, shape: Any, first: str) -> Invalid | BadRequest:
    """The first problems of a body, in words. Of a long array only the items from the first wrong one
    on are looked at, a few: what is before them is valid."""
    try:
        value = msgspec.json.decode(body)  # what the shape did not look at may be malformed
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _malformed(str(error))
    except RecursionError:
        return _malformed("it is nested too deeply")
    start = 0
    if isinstance(value, list):
        match = _ITEM.search(first)
        start = int(match[1]) if match else 0
        value = value[start : start + _MAX_PROBLEMS]
    fields = [_at(fault, start) for fault in faults(_schema(shape), value, limit=_MAX_PROBLEMS)]
    return Invalid("Validation failed", fields=fields or [first])


def _at(fault: Fault, start: int) -> str:
    """The sentence of a fault; that of an item names the place that it has in the whole array."""
    if not fault.where:
        sentence = fault.message.removeprefix("the document: ")
        return sentence if sentence.startswith("'") else f"the body: {sentence}"
    at, *inside = fault.where
    if not start or not isinstance(at, int):
        return fault.message
    return pointer((at + start, *inside)) + fault.message.removeprefix(pointer(fault.where))


_ITEM = re.compile(r" - at `\$\[([0-9]+)\]")


@cache
def _schema(shape: Any) -> dict[str, Any]:
    return msgspec.json.schema(shape)
