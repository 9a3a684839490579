# SPDX-License-Identifier: Apache-2.0
"""What an engine says of a transaction that may go well the next time."""

from __future__ import annotations

from gitprompt.errors import Unavailable


class Again(Unavailable):
    """Nothing was stored: the connection was lost, or another transaction was in the way."""
