# SPDX-License-Identifier: Apache-2.0
"""gitprompt migrate as somebody types it: what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitprompt.cli.exchange.migrate import HOUSES
from gitprompt.transfer.importers import IMPORTERS
from tests.server.client import fresh
from tests.transfer.moving_in import FIXTURES, LANGFUSE, House
from tests.world import Server


@pytest.fixture
def house(server: Server, tmp_path: Path) -> House:
    return House(server, fresh("in"), tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say --input PATH or --url URL"),
        (("--input", LANGFUSE[0], "--url", "http://x"), "say --input PATH or --url URL"),
        (("--url", "http://127.0.0.1:1"), "--url needs the key of langfuse"),
        (("--url", "http://127.0.0.1:1", "--key", "sk-only"), "PUBLIC:SECRET"),
        (("--url", "nowhere", "--key", "a:b"), "--url is no address of a server"),
        (("--input", LANGFUSE[0], "--labels", "all"), "is not one of"),
        (("--input", LANGFUSE[0], "--rejected", "/nowhere/x"), None),
    ],
)
def test_what_is_not_meant_like_this_is_refused(
    house: House, options: tuple[str, ...], said: str | None
) -> None:
    if said is None:
        house.said(*options)  # nothing was rejected, so that no file is made
        return
    answer = house.said(*options, code=1 if "no address" in said else 2)
    assert said in answer


def test_a_file_that_is_not_there_is_told(house: House) -> None:
    assert "there is no none.json" in house.said("--input", "none.json", code=1)


def test_it_tells_people_what_came_what_was_lost_and_where_the_rest_is(house: House) -> None:
    dry = house.said("--input", str(FIXTURES), "--dry-run")
    assert "traces would come over" in dry
    assert "nothing was written" in dry
    said = house.said("--input", str(FIXTURES))
    assert "5 prompt versions came over" in said
    assert "What did not come over as it was:" in said
    assert f"records are in {house.rejected}" in said
    assert "the server has 3 traces and 3 prompts" in said
    assert "3 of 3 traces that were read back say what was sent" in said
    assert "6 spans came over" in said
    assert "6 there already" in house.said("--input", str(FIXTURES))


def test_what_is_kept_cannot_be_written_is_told_before_anything_is_lost(house: House) -> None:
    said = house.said("--input", str(FIXTURES), "--rejected", "/nowhere/x.jsonl", code=1)
    assert "/nowhere/x.jsonl cannot be written" in said


def test_every_importer_can_be_named() -> None:
    assert set(HOUSES) == set(IMPORTERS)
