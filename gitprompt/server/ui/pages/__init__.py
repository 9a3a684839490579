# SPDX-License-Identifier: Apache-2.0
"""Pages, one module for each thing that they are about. To add one: a function and a literal row."""

from __future__ import annotations

from collections.abc import Sequence

from gitprompt.server.ui.page import Page
from gitprompt.server.ui.pages import (
    activity,
    keys,
    labels,
    prompts,
    publish,
    render,
    sign_in,
    status,
    suites,
    traces,
    versions,
)

PAGES: Sequence[Page] = (
    *sign_in.PAGES,
    *labels.PAGES,
    *versions.PAGES,
    *prompts.PAGES,
    *render.PAGES,
    *publish.PAGES,
    *traces.PAGES,
    *activity.PAGES,
    *suites.PAGES,
    *status.PAGES,
    *keys.PAGES,
)
