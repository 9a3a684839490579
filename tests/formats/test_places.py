# SPDX-License-Identifier: Apache-2.0
"""Where in a file something stands."""

from __future__ import annotations

from typing import Any

import pytest

from gitprompt import formats

PLACES = b"""name: a
messages:
  - role: user
    content: |
      first {{x}}
      second {{y}}
  - {role: user, content: "q\\n{{z}}"}
  - role: user
    content: 'plain {{p}}'
"""


@pytest.mark.parametrize(
    ("path", "needle", "expected"),
    [
        (("messages", 0, "content"), "{{x}}", (5, 13)),
        (("messages", 0, "content"), "{{y}}", (6, 14)),
        (("messages", 1, "content"), "{{z}}", (7, 31)),
        (("messages", 2, "content"), "{{p}}", (9, 21)),
    ],
)
def test_a_place_inside_a_string(
    path: tuple[Any, ...], needle: str, expected: tuple[int, int]
) -> None:
    value: Any = formats.read(PLACES, "a.yaml")
    for part in path:
        value = value[part]
    assert formats.locate(PLACES, path, offset=value.index(needle)) == expected


def test_places_in_json_count_escapes() -> None:
    data = b'{"m": "\\u00e9\\ud83d\\ude00\\"{{x}}"}'
    text = formats.read(data, "a.json")["m"]
    line, column = formats.locate(data, ("m",), offset=text.index("{{x}}"))
    assert (line, data.decode()[column - 1 :][:5]) == (1, "{{x}}")


def test_a_missing_value_is_placed_at_its_parent() -> None:
    assert formats.locate(PLACES, ("messages", 1, "nothing")) == (7, 5)
    assert formats.locate(b"", ("a",)) == (1, 1)
