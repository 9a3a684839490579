# SPDX-License-Identifier: Apache-2.0
"""Price tables: what they say, what is wrong with one, and the small one that ships."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt import prices
from gitprompt.core.telemetry.prices import Price, PriceTable
from gitprompt.errors import Invalid, SetupError
from tests.conftest import Outcome

GOOD = """\
as_of: "2026-01-31"
prices:
  OpenAI:
    gpt-4o: {input: 2.5, output: 10, cached: 1.25}
    o3: {input: 2, output: 8}
  ollama:
    "*": {input: 0, output: 0}
"""


def test_a_table_is_read_by_provider_and_model(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(GOOD)
    table = prices.load(str(path))
    assert table is not None
    assert table.as_of == "2026-01-31"
    assert table.price("openai", "gpt-4o") == Price(2.5, 10, 1.25)
    assert table.price("OPENAI", "GPT-4o-2024-08-06") == Price(2.5, 10, 1.25)
    assert table.price("openai", "o3-20250416") == Price(2, 8, 2)
    assert table.price("openai", "gpt-4o-mini") is None
    assert table.price("openai", None) is None
    assert table.price(None, "o3-2025-04-16") == Price(2, 8, 2)
    assert table.price(None, "whatever") is None
    assert table.price("ollama", "whatever") == Price(0, 0, 0)
    assert table.cost("openai", "gpt-4o", 1_000_000, 100_000, 2_000_000) == 2.5 + 1 + 2.5
    assert table.cost("azure.ai.openai", "gpt-4o", 1_000_000, 0, 0) == 2.5
    assert table.cost("somebody", "gpt-4o", 1, 1, 1) is None


@given(st.text(), st.text(), st.integers(0), st.integers(0), st.integers(0))
def test_no_name_breaks_a_table(provider: str, model: str, a: int, b: int, c: int) -> None:
    table = PriceTable("2026-01-31", {("x", "*"): Price(1, 1, 1)})
    expected = (a + b + c) / 1_000_000 if provider.lower() == "x" else None
    assert table.cost(provider, model, a, b, c) == pytest.approx(expected)


def test_the_table_that_ships_is_dated_and_right() -> None:
    table = prices.load("shipped")
    assert table is not None
    assert date.fromisoformat(table.as_of) <= datetime.now(UTC).date()
    assert all(price.cached <= price.input <= price.output for price in table.prices.values())
    assert prices.load("none") is None


def test_a_table_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be read"):
        prices.load(str(tmp_path / "none.yaml"))
    path = tmp_path / "prices.yaml"
    path.write_text("prices: {}\n")
    with pytest.raises(Invalid, match="'as_of' is required"):
        prices.load(str(path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace('"2026-01-31"', '"last year"'), "not of the form"),
        (GOOD.replace("input: 2.5", "input: -1"), "is not at least 0"),
        (GOOD.replace("input: 2.5", "inptu: 2.5"), "unknown key"),
        (GOOD.replace("output: 8", "output: .nan"), "syntax"),
        (GOOD + "  openai:\n    a: {input: 1, output: 1}\n  OpenAI: {}\n", "appears twice"),
        (GOOD + "  openai:\n    a: {input: 1, output: 1}\n", "in different case"),
        (GOOD.replace("2026-01-31", "2026-02-30"), "as_of"),
        (GOOD.replace("gpt-4o:", '"gpt-4*":'), "no other patterns"),
        (GOOD.replace("gpt-4o:", '" gpt-4o":'), "spaces"),
        (
            GOOD.replace("gpt-4o: {input: 2.5, output: 10, cached: 1.25}", "x: {}"),
            "'output' is required",
        ),
        ("- 1\n", "expected object"),
        ("a: [", "syntax"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    cli: Callable[..., Outcome], tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    outcome = cli("prices", "check", str(path))
    assert outcome.code == 1, outcome
    assert str(path) in outcome.out
    assert says in outcome.out
    told = json.loads(cli("prices", "check", str(path), "--json").out)
    assert told["as_of"] is None
    assert told["findings"][0]["severity"] == "error"


def test_check_shows_a_table_and_its_age(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(GOOD)
    outcome = cli("prices", "check", str(path))
    assert outcome.code == 0
    assert "openai\tgpt-4o\t2.5\t10\t1.25\t2.5" in outcome.out
    assert "3 prices in USD for a million tokens, as of 2026-01-31" in outcome.out
    path.write_text(GOOD.replace("2026", "2020"))
    assert "days old" in cli("prices", "check", str(path)).err
    assert cli("prices", "check").code == 0
    told = json.loads(cli("prices", "check", "--json").out)
    assert told["as_of"] in cli("prices", "check").out
    assert {
        "provider": "openai",
        "model": "gpt-4o",
        "input": 2.5,
        "output": 10.0,
        "cached": 1.25,
        "written": None,
    } in told["prices"]
    assert cli("prices", "check", "nowhere.yaml").code == 1
