# SPDX-License-Identifier: Apache-2.0
"""Values and text, as hypothesis makes them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

TEXT = st.text(
    alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20
)


SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)


VALUE: st.SearchStrategy[Any] = st.recursive(
    SCALAR, lambda v: st.lists(v, max_size=4) | st.dictionaries(TEXT, v, max_size=4), max_leaves=15
)


DOCUMENT = st.dictionaries(TEXT, VALUE, max_size=5)
