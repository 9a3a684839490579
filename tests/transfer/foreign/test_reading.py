# SPDX-License-Identifier: Apache-2.0
"""Records out of files: whole, a line each, in pages, compressed; and cut at every place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitprompt.errors import NotFound
from gitprompt.transfer.foreign import reading
from gitprompt.transfer.foreign.reading import Broken, files, records

RECORDS = st.lists(
    st.dictionaries(
        st.text(max_size=4), st.text() | st.integers() | st.none() | st.lists(st.text())
    ).map(lambda fields: {"id": 1, **fields}),
    max_size=5,
)


def write(path: Path, data: str | bytes) -> str:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def read(path: str) -> list[Any]:
    return [found.value for found in records(path)]


@settings(max_examples=40)
@given(RECORDS, st.integers(1, 40))
def test_every_way_to_write_them_is_read_alike(
    tmp_path: Path, values: list[Any], window: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_CHUNK", window)
        whole = json.dumps(values, ensure_ascii=False)
        for text in (
            whole,
            f"\ufeff{json.dumps(values, indent=2)}",
            "\n".join(map(json.dumps, values)),
            "\r\n\r\n".join(map(json.dumps, values)) + "\n",
            f'{{"data": {whole}, "meta": {{"page": 1}}}}',
            f'{{"meta": {{"page": 1}}, "data": {whole}}}',
            f'{{"data": {json.dumps(values[:2])}, "meta": null}}\n{{"data": {json.dumps(values[2:])}}}',
        ):
            assert read(write(tmp_path / "x.json", text)) == values
            assert read(write(tmp_path / "x.json.gz", gzip.compress(text.encode()))) == values


def test_a_cut_file_gives_what_came_before_and_says_so(tmp_path: Path) -> None:
    values = [{"id": at, "text": 'ä{}[],\\"' * at, "n": None, "t": True} for at in range(4)]
    for text in (
        json.dumps({"data": values, "meta": {}}),
        "\n".join(map(json.dumps, values)) + "\n",
    ):
        data = text.encode()
        for end in range(1, len(data) - 1):
            path = write(tmp_path / "x.json", data[:end])
            found: list[Any] = []
            try:
                for record in records(path):
                    found.append(record.value)
            except Broken as error:
                assert "cut" in str(error), (end, str(error))
            assert found == values[: len(found)]


def test_a_gzip_file_that_is_cut_is_told(tmp_path: Path) -> None:
    data = gzip.compress(json.dumps([{"id": str(at) * 100} for at in range(1_000)]).encode())
    with pytest.raises(Broken, match="gzip"):
        read(write(tmp_path / "x.gz", data[: len(data) // 2]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>no</html>", "it is no JSON"),
        ('[{"id": 1} {"id": 2}]', "a comma is missing"),
        (b"\xff\xfe", "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ('{"id": 1, "x": tru}' + " " * 100, "no JSON"),
    ],
)
def test_what_is_no_json_is_told(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(Broken, match=said):
        read(write(tmp_path / "x.json", text))


def test_what_json_does_not_have_is_text(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.json", '[{"a": NaN, "b": -Infinity, "c": "\\ud800!", "d": "\\ud83d\\ude00"}]'
    )
    assert read(path) == [{"a": "NaN", "b": "-Infinity", "c": "\ufffd!", "d": "😀"}]


def test_a_long_text_is_read_whole(tmp_path: Path) -> None:
    text = "x" * 5_000_000
    assert read(write(tmp_path / "x.json", json.dumps([{"a": text}, {"b": 1}]))) == [
        {"a": text},
        {"b": 1},
    ]


def test_folders_are_searched_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    one, two = (
        write(tmp_path / "b" / "x.jsonl", "{}"),
        write(tmp_path / "a.json.gz", gzip.compress(b"{}")),
    )
    write(tmp_path / "README.md", "no")
    assert list(files([str(tmp_path)])) == [two, one]
    with pytest.raises(NotFound, match="there is no"):
        list(files([str(tmp_path / "none")]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="no exports"):
        list(files([str(tmp_path / "empty")]))


def test_what_came_before_the_damage_is_given_out(tmp_path: Path) -> None:
    values = [{"id": at, "x": f"{at:040}"} for at in range(5_000)]
    lines = "\n".join(map(json.dumps, values)).encode()
    packed = gzip.compress(lines)
    for data, most in (
        (packed[: len(packed) * 3 // 4], 5_000),
        (lines + b'\n{"id":"\xff"}', 5_001),
        (lines + '\n{"id": "é'.encode()[:-1], 5_001),
    ):
        found: list[Any] = []
        with pytest.raises(Broken):
            found.extend(record.value for record in records(write(tmp_path / "x.gz", data)))
        found = []
        try:
            for record in records(write(tmp_path / "x.gz", data)):
                found.append(record.value)
        except Broken:
            pass
        assert 3_000 < len(found) < most
        assert found == values[: len(found)]


def test_a_record_is_no_page_and_a_page_leaves_nothing_out(tmp_path: Path) -> None:
    record = {"scores": [], "id": "x", "observations": [{"id": 1}]}
    assert read(write(tmp_path / "x.json", json.dumps(record))) == [record]
    page = {
        "data": [{"id": 1}],
        "rows": [{"id": 2}],
        "more": {"id": 3},
        "meta": {"page": 1},
        "total": 3,
    }
    assert read(write(tmp_path / "x.json", json.dumps(page))) == [{"id": 1}, {"id": 2}, {"id": 3}]


@pytest.mark.parametrize(
    "text", ["[" * 600 + '"\\ud800"' + "]" * 600, '{"a": ' + "9" * 5_000 + "}"]
)
def test_what_python_cannot_hold_is_told(tmp_path: Path, text: str) -> None:
    try:
        read(write(tmp_path / "x.json", text))
    except Broken as error:
        assert "deep" in str(error) or "digits" in str(error)
