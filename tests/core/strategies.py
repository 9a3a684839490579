# SPDX-License-Identifier: Apache-2.0
"""Names, labels and versions, as hypothesis makes them."""

from __future__ import annotations

from hypothesis import strategies as st

from gitprompt.core import names, versions

SEGMENT = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True)


NAME = st.lists(SEGMENT, min_size=1, max_size=8).map("/".join).filter(names.is_name)


NUMBER = st.integers(0, 10**6).map(str)


IDENTIFIER = st.from_regex(r"0|[1-9][0-9]{0,5}|[0-9]{0,3}[a-z-][0-9a-z-]{0,5}", fullmatch=True)


RELEASE = st.tuples(NUMBER, NUMBER, NUMBER).map(".".join)


SEMVER = st.one_of(
    RELEASE,
    st.tuples(RELEASE, st.lists(IDENTIFIER, min_size=1, max_size=4)).map(
        lambda pair: f"{pair[0]}-{'.'.join(pair[1])}"
    ),
).filter(versions.is_version)
