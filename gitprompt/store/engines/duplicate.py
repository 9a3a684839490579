# SPDX-License-Identifier: Apache-2.0
"""What an engine says of a key that is there already."""

from __future__ import annotations


class Duplicate(Exception):
    """A row has a key that is there already, or refers to a row that is not; none was inserted."""
