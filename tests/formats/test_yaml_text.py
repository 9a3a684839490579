# SPDX-License-Identifier: Apache-2.0
"""One dialect of YAML, bounded."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitprompt import formats
from gitprompt.formats import fast_json

BOMB = b"a: &a [x]\n" + b"".join(
    b"%c: &%c [%b]\n" % (key, key, b",".join([b"*%c" % (key - 1)] * 9)) for key in range(98, 106)
)


@pytest.mark.parametrize(
    ("data", "message", "line"),
    [
        (b"a: 1\na: 2\n", "the key 'a' appears twice", 2),
        (b"a: 1\n---\nb: 2\n", "second document", 2),
        (b"a:\n\t- b\n", "not YAML", 2),
        (b"a: caf\xe9\n", "byte 0xe9 is not valid UTF-8", 1),
        (b"\xff\xfea\0", "not valid UTF-8", 1),
        (b"x: 1\na: b\0c\n", "NUL", 2),
        (b"d: 2024-01-31\n", "reads as a date", 1),
        (b"a: .nan\n", "not a finite number", 1),
        (b"a: 1e999\n", "too large a number", 1),
        (b"a: " + b"9" * 400 + b"\n", "too long", 1),
        (b"<<: {a: 1}\n", "merge keys", 1),
        (b"1: 2\n", "the key '1' is not text", 1),
        (b"? [a]\n: b\n", "a key must be text", 1),
        (b"a: !!python/object:os.system x\n", "is not allowed", 1),
        (b"a: !custom b\n", "is not allowed", 1),
        (b"a: {{name}}\n", "a key must be text", 1),
        (b"a: b: c\n", "not YAML", 1),
        (b"a: &x [*x]\n", "has no anchor", 1),
        (BOMB, "more than 100000 values", 6),
        (b"[" * 100_000, "nested deeper than 64", 1),
        (b"{a: " * 70 + b"}" * 70, "nested deeper than 64", 1),
        (b"a: 1\n" * 300_000, "at most 1048576 are read", 0),
    ],
)
def test_bad_yaml_is_refused_with_its_place(data: bytes, message: str, line: int) -> None:
    with pytest.raises(formats.FormatError, match=message) as caught:
        formats.read(data, "a.yaml")
    assert caught.value.line == line


def test_the_dialect_is_the_core_schema() -> None:
    found = formats.read(
        b"no: no\non: on\nn: ~\nt: True\ni: 010\nh: 0x1F\no: 0o17\nf: 1e3\nq: '1'\ns: !!str 1\nt1: 12:30:45\n",
        "a.yaml",
    )
    assert found == {
        "no": "no", "on": "on", "n": None, "t": True, "i": 10, "h": 31, "o": 15, "f": 1000.0,
        "q": "1", "s": "1", "t1": "12:30:45",
    }  # fmt: skip


def test_a_byte_order_mark_and_crlf_change_nothing() -> None:
    plain = b"a: 1\nb: |\n  x\n  y\n"
    other = b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n")
    assert formats.read(other, "a.yaml") == formats.read(plain, "a.yaml")
    assert formats.read(b'\xef\xbb\xbf{"a": 1}', "a.json") == {"a": 1}


def test_aliases_within_bounds_are_fine() -> None:
    found = formats.read(b"a: &x {k: 1}\nb: *x\nc: [*x, *x]\n", "a.yaml")
    assert found == {"a": {"k": 1}, "b": {"k": 1}, "c": [{"k": 1}, {"k": 1}]}


@given(st.binary(max_size=200))
@example(b'"\x80"')
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for path in ("a.yaml", "a.json"):
        for read in (formats.read, fast_json.read):
            try:
                read(data, path)
            except formats.FormatError as error:
                assert error.message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"version: 1.0.0  # now\nb: 1\n", b"version: 1.1.0  # now\nb: 1\n"),
        (b'b: 1\nversion: "1.0.0"\n', b'b: 1\nversion: "1.1.0"\n'),
        (b"version: '1.0.0'\r\n", b"version: '1.1.0'\r\n"),
        (b'{"version":"1.0.0","b":1}', b'{"version":"1.1.0","b":1}'),
        (b"\xef\xbb\xbfversion: 1.0.0\n", b"\xef\xbb\xbfversion: 1.1.0\n"),
    ],
)
def test_one_scalar_is_rewritten_and_nothing_else(before: bytes, after: bytes) -> None:
    assert formats.replace_scalar(before, ("version",), "1.1.0") == after


def test_a_version_that_would_read_as_a_number_is_quoted() -> None:
    assert formats.replace_scalar(b"version: a\n", ("version",), "2") == b'version: "2"\n'


@given(st.text(alphabet="{}[]:,\"'&*!|>-?#%@` \n\tab1.\\u", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    test_any_bytes_are_read_or_refused.hypothesis.inner_test(text.encode())  # type: ignore[attr-defined]


_SEPARATED = st.text(st.sampled_from("ab \x85\u2028\u2029\ue000"), min_size=1, max_size=12)


@given(_SEPARATED)
def test_separators_of_unicode_are_content_and_no_line_ends(text: str) -> None:
    """In YAML 1.2, and as JSON has them; libyaml reads them as YAML 1.1 does."""
    quoted = f'a: "{text}"\nb: |\n  x{text}x\n  y\nc: [\n'
    assert formats.read(quoted[:-5].encode(), ".yaml") == {"a": text, "b": f"x{text}x\ny\n"}
    with pytest.raises(formats.FormatError) as refused:
        formats.read(quoted.encode(), ".yaml")
    assert refused.value.line == 6, "lines are counted as the file has them"


def test_a_place_after_separators_is_that_of_the_file() -> None:
    data = 'a: "x\u2028\x85"\nb: |\n  one\u2028two\n  three\n'.encode()
    assert formats.locate(data, ("b",), offset=len("one\u2028two\n")) == (4, 3)


def test_a_file_with_every_private_character_is_refused_and_not_misread() -> None:
    private = "".join(map(chr, range(0xE000, 0xF900)))
    with pytest.raises(formats.FormatError, match="private use"):
        formats.read(f'a: "{private}\u2028"'.encode(), ".yaml")
