# SPDX-License-Identifier: Apache-2.0
"""The type of the command line in these tests."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Outcome

Cli = Callable[..., Outcome]
