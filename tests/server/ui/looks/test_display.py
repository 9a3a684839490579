# SPDX-License-Identifier: Apache-2.0
"""Text that hides something is shown by its numbers; numbers have units, and a dash for nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.server.ui.looks import display
from gitprompt.server.ui.looks.display import Exact, hidden_in, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("zero\u200bwidth", "zero[U+200B]width"),
        ("\u202egnikat", "[U+202E]gnikat"),
        ("a\u2066b\u2069", "a[U+2066]b[U+2069]"),
        ("tag \U000e0041\U000e007f", "tag [U+E0041][U+E007F]"),
        ("smuggled \ufe01\ufe02", "smuggled [U+FE01][U+FE02]"),
        ("plane \U000e0101", "plane [U+E0101]"),
        ("bell\x07", "bell[U+0007]"),
        ("\ufeffbom", "[U+FEFF]bom"),
        ("soft\xadhyphen", "soft[U+00AD]hyphen"),
        ("a\u200db", "a[U+200D]b"),  # a joiner between letters that do not join
        ("👩\u200d💻 ❤\ufe0f 1\ufe0f\u20e3", "👩\u200d💻 ❤\ufe0f 1\ufe0f\u20e3"),
        ("👁\ufe0f\u200d🗨\ufe0f", "👁\ufe0f\u200d🗨\ufe0f"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("❤\ufe0f\ufe0f", "❤\ufe0f[U+FE0F]"),
        ("größe 名前", "größe 名前"),
        ("half \ud800", "half [U+D800]"),
    ],
)
def test_what_hides_something_is_shown_by_its_number(text: str, expected: str) -> None:
    assert shown(text) == expected
    assert hidden_in(text) == expected.count("[U+")


@given(st.text())
def test_nothing_that_hides_is_left(text: str) -> None:
    for char in shown(text):
        kind = unicodedata.category(char)
        assert kind not in ("Cc", "Cs") or char in "\n\t"
        assert kind != "Cf" or char in "\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2" or ord(char) > 0x1_1000  # fmt: skip


def test_what_is_edited_is_sent_as_it_is() -> None:
    text = Exact("zero\u200bwidth")
    assert shown(text) is text
    assert shown(None) == "–"
    assert shown(0) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (display.number(12_004), "12,004"),
        (display.number(0.5), "0.5"),
        (display.number(None), "–"),
        (display.percent(0.0031), "0.31 %"),
        (display.percent(0.5), "50 %"),
        (display.percent(0.0), "0 %"),
        (display.rate(1, 0), "–"),
        (display.milliseconds(640), "640 ms"),
        (display.milliseconds(12_400), "12.4 s"),
        (display.milliseconds(700_000), "11.7 min"),
        (display.milliseconds(None), "–"),
        (display.dollars(61.2), "$61.20"),
        (display.dollars(0.00041), "$0.00041"),
        (display.dollars(0.000012), "$0.000012"),
        (display.dollars(0.0), "$0.00"),
        (display.dollars(0.5), "$0.50"),
        (display.dollars(0.041), "$0.041"),
        (display.dollars(1e-9), "$0.000000001"),
        (display.utc(0), "1970-01-01 00:00 UTC"),
        (display.utc_seconds(1 << 62), "9999-12-31 23:59:59 UTC"),
        (display.iso(-5), "1970-01-01T00:00:00Z"),
        (display.ago(100, 160), "1 min"),
        (display.ago(160, 100), "+1 min"),
        (display.ago(5, 5), "now"),
        (display.ago(0, 5 * 86_400), "5 d"),
        (display.change(100, 54), "−46 %"),
        (display.change(None, 1), ""),
        (display.change(1, 2), "+100 %"),
        (display.person("Ada <a@b>"), "Ada"),
        (display.person("<a@b>"), "<a@b>"),
    ],
)
def test_numbers_have_units(text: str, expected: str) -> None:
    assert text == expected


def test_json_is_laid_out_and_what_is_none_is_shown() -> None:
    assert display.pretty('{"a":[1]}') == '{\n  "a": [\n    1\n  ]\n}'
    assert display.pretty("not json {") == "not json {"
    assert display.pretty({"ü": 1}) == '{\n  "ü": 1\n}'
    assert display.compact([1, "ä"]) == '[1, "ä"]'
    assert display.compact("text") == "text"
