# SPDX-License-Identifier: Apache-2.0
"""What importers share: ids, texts, metadata and the loss report."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitprompt.transfer.foreign.records import (
    Losses,
    beside,
    flattened,
    label_problem,
    short,
    tags_of,
    text_of,
    trace_id_of,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.uuids())
def test_an_id_that_can_be_one_stays(one: uuid.UUID) -> None:
    losses = Losses()
    for text in (str(one), one.hex, str(one).upper()):
        assert trace_id_of(text, "langfuse", losses) == text
    assert not losses


@given(st.text(min_size=1))
def test_any_other_id_becomes_one_that_follows_from_it(text: str) -> None:
    losses = Losses()
    made = trace_id_of(text, "langfuse", losses)
    assert made == trace_id_of(text, "langfuse", losses)
    assert uuid.UUID(made)
    if made != text:
        assert made != trace_id_of(text, "mlflow", Losses())
        assert next(iter(losses)).number == 2


@given(JSON)
def test_metadata_fits_and_loses_nothing(value: Any) -> None:
    flat = flattened(value)
    ours = {"kind": "llm", "model": None, "timestamp_ms": 5}
    both = beside(ours, flat)
    assert len(both) <= 48
    assert both["kind"] == "llm"
    assert (
        "model" not in {key for key in both if ours.get(key) is None}
        or "metadata.model" not in both
    )


def test_more_keys_than_a_row_has_go_below_one() -> None:
    both = beside({"kind": "span"}, {f"k{at}": at for at in range(100)})
    assert len(both) == 47
    assert sum(len(value) if key == "more" else 1 for key, value in both.items()) == 101
    assert beside({"kind": "x"}, {"kind": "y", "tool": "z"}) == {
        "kind": "x",
        "metadata.kind": "y",
        "metadata.tool": "z",
    }
    assert flattened({"a": {"b": {"c": 1}, "d": 2}, "e": []}) == {
        "a.b": {"c": 1},
        "a.d": 2,
        "e": [],
    }
    assert flattened("text") == {"value": "text"}


def test_texts_are_cut_and_told() -> None:
    losses = Losses()
    assert short("a\0b", 10, "name", losses, "x") == "ab"
    assert short("a" * 300, 256, "name", losses, "y") == "a" * 256
    assert short("  ", 5, "name", losses, "z") is None
    assert [(loss.field, loss.number, loss.example) for loss in losses] == [
        ("name", 1, "x"),
        ("name", 1, "y"),
    ]
    given: tuple[object, ...] = (None, True, 7, 1.5, "NaN", [], " x ")
    assert list(map(text_of, given)) == [None, None, "7", "1.5", "NaN", None, "x"]
    assert len(tags_of([f"t{at}" for at in range(60)], losses, "x")) == 50


def test_labels_that_cannot_be_ours() -> None:
    assert "newest" in label_problem("latest")
    assert "v-3" in label_problem("3")
    assert not label_problem("production")
