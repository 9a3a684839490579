# SPDX-License-Identifier: Apache-2.0
"""Pins: what was seen first is what is served."""

from __future__ import annotations

import pytest

from gitprompt.core.publication import Version
from gitprompt.store.database import Database
from gitprompt.store.tables.pins import AnyPin, NewPins
from tests.postgres import new_url


def version(name: str, *, tag: str = "t", number: str = "1.0.0") -> Version:
    return Version(name, number, tag, "c", "b", 5, "Ada", f"prompts/{name}.yaml", "")


def test_what_is_remembered_stays(database: Database) -> None:
    assert not database.read_now(AnyPin("default"))
    database.write_now(NewPins("default", [version("a"), version("b")], [b"{}", b"{}"], 9))
    database.write_now(
        NewPins("default", [version("a", tag="moved"), version("c")], [b"{}", b"{}"], 10)
    )
    pin = database.pin("default", "a", "1.0.0")
    assert pin is not None
    assert (pin.version.tag, pin.first_seen) == ("t", 9)
    assert database.pin("other", "a", "1.0.0") is None
    assert [pin.version.name for chunk in database.pins("default", chunk=2) for pin in chunk] == [
        "a", "b", "c",
    ]  # fmt: skip


@pytest.mark.postgres
def test_a_pin_that_another_node_made_first_is_told() -> None:
    url = new_url()
    first, second = Database(url), Database(url)
    documents = [b"{}"] * 1_200
    many = [version("p", number=f"1.0.{at}") for at in range(1_200)]
    assert first.write_now(NewPins("default", many, documents, 9)) == []
    assert second.write_now(NewPins("default", many, documents, 10)) == []
    moved = [*many[:-1], version("p", tag="moved", number="1.0.1199")]
    (pin,) = second.write_now(NewPins("default", moved, documents, 11))
    assert (pin.version.version, pin.version.tag, pin.first_seen) == ("1.0.1199", "t", 9)
    for one in (first, second):
        one.close()
