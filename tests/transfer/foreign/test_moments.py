# SPDX-License-Identifier: Apache-2.0
"""Times in whatever way a system writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.transfer.foreign.moments import milliseconds

AT = 1_789_373_702_100


@pytest.mark.parametrize(
    "value",
    [
        "2026-09-14T08:15:02.100Z", "2026-09-14T08:15:02.1", "2026-09-14 08:15:02.100123", "2026-09-14T10:15:02.100+02:00",
        "2026-09-14T10:15:02.1+0200", "2026-09-14 08:15:02,100 UTC", AT, str(AT), AT * 1000, AT * 1_000_000, str(AT * 1_000_000),
    ],
)  # fmt: skip
def test_one_moment_is_one_in_every_spelling(value: Any) -> None:
    assert milliseconds(value) == AT


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "soon",
        "NaN",
        [],
        "2026-13-01T00:00:00Z",
        -5,
        "0001-01-01T00:00:00+14:00",
        10**40,
    ],
)
def test_what_is_no_time_is_none(value: Any) -> None:
    assert milliseconds(value) is None


@given(st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1)))
def test_naive_times_are_utc(moment: datetime) -> None:
    whole = (
        int(moment.replace(microsecond=0, tzinfo=UTC).timestamp()) * 1000
        + moment.microsecond // 1000
    )
    assert milliseconds(moment.isoformat()) == whole
    assert milliseconds(moment.isoformat() + "Z") == whole
