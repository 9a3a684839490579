# SPDX-License-Identifier: Apache-2.0
"""What fields of requests may hold."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gitprompt.server.http.shapes import Count, Text, Timestamp, TraceId, Usd


@pytest.mark.parametrize(
    ("shape", "good", "bad"),
    [
        (Text, ["a", "é" * 256], ["", "a" * 257, "a\0b"]),
        (TraceId, ["0" * 32, "550E8400-e29b-41d4-a716-446655440000"], ["0" * 32 + "\n", "0" * 31]),
        (Count, [0, 1 << 40], [-1, (1 << 40) + 1, 1.5]),
        (Usd, [0, 0.5], [-0.1, 1e9]),
        (Timestamp, [0, 1_764_036_000], [-1, 1 << 41, "2026-01-01"]),
    ],
)
def test_a_field_takes_what_it_is_for(shape: Any, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert msgspec.convert(value, shape) == value
    for value in bad:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(value, shape)
