# SPDX-License-Identifier: Apache-2.0
"""Templates: everything that they write is escaped, and shown as `display.shown` has it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import cache
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

from gitprompt.server.ui.looks import display

if TYPE_CHECKING:
    from jinja2 import Environment

_PAUSE = 0.01  # seconds
_MOMENT = 0.0003  # seconds that a page is written without a turn for others
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")


@cache
def environment() -> Environment:
    """Made when the first page is asked for: a server that shows none does not load Jinja."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=display.shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    made.filters.update(
        exact=display.Exact,
        pretty=display.pretty,
        compact=display.compact,
        number=display.number,
        person=display.person,
        percent=display.percent,
        milliseconds=display.milliseconds,
        dollars=display.dollars,
        iso=display.iso,
        utc=display.utc,
        utc_seconds=display.utc_seconds,
    )
    made.globals.update(
        ago=display.ago,
        change=display.change,
        rate=display.rate,
        hidden_in=display.hidden_in,
        FEW=display.FEW,
    )
    return made


def warm() -> None:
    """Load every template, with a pause after each: others want their turn. Blocks."""
    for name in sorted(environment().list_templates()):
        environment().get_template(name)
        sleep(_PAUSE)


async def render_in_turns(template: str, values: Mapping[str, Any]) -> bytes:
    """Like `render`, with a turn for other requests after each moment."""
    parts: list[str] = []
    begun = perf_counter()
    for part in environment().get_template(template).generate(values):
        parts.append(part)
        if perf_counter() - begun > _MOMENT:
            await asyncio.sleep(0)
            begun = perf_counter()
    return "".join(parts).encode("utf-8", "replace")


def render(template: str, values: Mapping[str, Any]) -> bytes:
    """A page in UTF-8; what has no encoding was shown by its number."""
    text: str = environment().get_template(template).render(values)
    return text.encode("utf-8", "replace")
