# SPDX-License-Identifier: Apache-2.0
"""What YAML, JSON and fragments have in common: bounds, decoding, places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.formats.text import MAX_BYTES, FormatError, decode, finite, position


@pytest.mark.parametrize(
    ("data", "message", "line", "column"),
    [
        (b"a\n\xffb", "byte 0xff is not valid UTF-8", 2, 1),
        (b"a\nb\0c", "the file contains a NUL character", 2, 2),
        (b"x" * (MAX_BYTES + 1), f"at most {MAX_BYTES} are read", 0, 0),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(
    data: bytes, message: str, line: int, column: int
) -> None:
    with pytest.raises(FormatError) as refused:
        decode(data)
    assert message in refused.value.message
    assert (refused.value.line, refused.value.column) == (line, column)


@given(st.text().filter(lambda text: "\0" not in text and not text.startswith("\ufeff")))
def test_text_is_decoded_as_it_was_and_a_byte_order_mark_dropped(text: str) -> None:
    assert decode(text.encode()) == text
    assert decode(b"\xef\xbb\xbf" + text.encode()) == text


@pytest.mark.parametrize(("before", "place"), [("", (1, 1)), ("ab", (1, 3)), ("a\nbc", (2, 3))])
def test_places_count_from_one(before: str, place: tuple[int, int]) -> None:
    assert position(before) == place


def test_a_number_beyond_all_is_none() -> None:
    assert finite("1e308") == 1e308
    with pytest.raises(ValueError, match="too large"):
        finite("1e309")
