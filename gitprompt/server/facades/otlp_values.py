# SPDX-License-Identifier: Apache-2.0
"""The values of OTLP as protobuf's JSON has them: ids, times, attributes, and names in two spellings
(https://protobuf.dev/programming-guides/json/)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

_STATUS = {0: "unset", 1: "ok", 2: "error"}
_STATUS_NAMES = {"STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error"}


ReadId = Callable[[Any, int], str]
# What reading a value raises that is not what the protocol says.
ODD = (TypeError, ValueError, OverflowError, KeyError, AttributeError, RecursionError)


def records_of(value: Any, kind: str, records: str) -> Iterator[tuple[Any, Any, Any]]:
    """Each record of an export with its resource and its scope; `kind` is Spans, Logs or Metrics. Raises one
    of `ODD` for what is no export."""
    if _is_in_snake_case(value, kind):
        value = in_camel_case(value)
    for resource in list_of(value, f"resource{kind}"):
        about = resource.get("resource")
        for scope in list_of(resource, f"scope{kind}") or list_of(
            resource, f"instrumentationLibrary{kind}"
        ):
            named = scope.get("scope") or scope.get("instrumentationLibrary")
            for record in list_of(scope, records):
                yield record, about, named


def _is_in_snake_case(value: Any, kind: str) -> bool:
    """Both spellings are right, and nobody mixes them within one record."""
    resources, scopes = f"resource_{kind.lower()}", f"scope_{kind.lower()}"
    return resources in value or any(scopes in one for one in value.get(f"resource{kind}") or ())


def in_camel_case(value: Any) -> Any:
    """An export in the names of the protocol (`resource_spans`) with those of its JSON. What attributes are
    called is not touched: they are values."""
    if isinstance(value, list):
        return [in_camel_case(item) for item in value]
    if isinstance(value, dict):
        return {_camel(str(name)): in_camel_case(item) for name, item in value.items()}
    return value


@cache
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def list_of(value: Any, name: str) -> Sequence[Any]:
    found = value.get(name)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise TypeError(f"{name} is no array")
    return found


def attributes_of(pairs: Any) -> dict[str, Any]:
    """Raises one of `ODD` for what are no attributes."""
    return {str(pair["key"]): _value(pair.get("value") or {}) for pair in pairs or ()}


def _value(value: Mapping[str, Any]) -> Any:
    for kind, content in value.items():
        if kind == "intValue":
            return _integer(content)
        if kind == "arrayValue":
            return [_value(item) for item in content.get("values") or ()]
        if kind == "kvlistValue":
            return attributes_of(content.get("values"))
        if kind == "doubleValue":
            return float(content)
        return content
    return None


def _integer(content: Any) -> int:
    """64 bits, as the protocol has them; protobuf's JSON writes them as text."""
    number = int(content)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError("an integer has more than 64 bits")
    return number


def status_of(code: Any) -> str:
    return _STATUS_NAMES.get(code, "unset") if isinstance(code, str) else _STATUS.get(code, "unset")


def milliseconds(nanoseconds: Any) -> int | None:
    if nanoseconds is None:
        return None
    value = int(nanoseconds)
    if not 0 <= value < 1 << 64:
        raise ValueError("a time is out of range")
    return value // 1_000_000


def text_of(value: Any, longest: int) -> str | None:
    """A text that says something, without what no column can hold."""
    if not isinstance(value, str | int) or value == "":
        return None
    return str(value).replace("\0", " ")[:longest]


def from_hex(text: Any, size: int) -> str:
    if not isinstance(text, str) or len(text) != size * 2:
        raise ValueError(f"an id has {size * 2} hexadecimal digits")
    return _not_zero(bytes.fromhex(text).hex())


def from_base64(text: Any, size: int) -> str:
    try:
        data = base64.b64decode(text or "", validate=True)
    except binascii.Error as error:
        raise ValueError("an id cannot be read") from error
    if len(data) != size:
        raise ValueError(f"an id has {size} bytes")
    return _not_zero(data.hex())


def _not_zero(text: str) -> str:
    """OpenTelemetry's own rule: an id of zeros is none."""
    if not text.strip("0"):
        raise ValueError("an id of zeros is no id")
    return text


def hexadecimal(text: Any) -> Any:
    """An id of a link as a person knows it: protobuf's JSON has it in base64."""
    if isinstance(text, str) and len(text) in (12, 24):
        try:
            return base64.b64decode(text, validate=True).hex()
        except binascii.Error:
            return text
    return text
