# SPDX-License-Identifier: Apache-2.0
"""What a label's history says of it."""

from __future__ import annotations

import pytest

from gitprompt.core.publication import LabelHistory, LabelMove


def history(*versions: str | None) -> LabelHistory:
    """Moves in order of time, one each second."""
    moves = [
        LabelMove(str(at), version, None, "ada", "", at) for at, version in enumerate(versions)
    ]
    return LabelHistory("welcome", "production", "tip", tuple(reversed(moves)))


@pytest.mark.parametrize(
    ("versions", "version", "created_at"),
    [
        (("1",), "1", 0),
        (("1", "2"), "2", 0),
        (("1", None), None, 1),
        (("1", None, "2", "3"), "3", 2),
    ],
)
def test_a_label_is_as_old_as_its_life_since_it_was_last_absent(
    versions: tuple[str | None, ...], version: str | None, created_at: int
) -> None:
    label = history(*versions)
    assert (label.version, label.created_at) == (version, created_at)
