# SPDX-License-Identifier: Apache-2.0
"""What can be chosen on a page: versions with their labels, windows of time; and the same as a command."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gitprompt.core.versions import rank
from gitprompt.server.context import Context
from gitprompt.server.ui.page import View
from gitprompt.statistics import WINDOWS
from gitprompt.store.index.reader import DatedMove

_MOST = 1_000  # versions that a list to choose from has
KEY = '-H "X-API-Key: $GITPROMPT_API_KEY"'
WINDOW_NAMES: Mapping[str, str] = {
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
    "1h": "1 hour",
}


class VersionChoice(NamedTuple):
    version: str
    labels: Sequence[str]


def labels_by_version(current: Iterable[DatedMove]) -> dict[str, list[str]]:
    """The names of the labels that are at each version, from how they came there."""
    labels: dict[str, list[str]] = {}
    for dated in current:
        labels.setdefault(dated.move.version or "", []).append(dated.label)
    return labels


def version_choices(context: Context, workspace: str, name: str) -> list[VersionChoice]:
    """The versions of a prompt, the highest first, each with its labels: production is marked wherever one can
    be picked."""
    labels = labels_by_version(context.catalog.current_labels(workspace, name))
    versions, _ = context.catalog.versions(workspace, name, limit=_MOST)
    numbers = sorted((stored.version.version for stored in versions), key=rank, reverse=True)
    return [VersionChoice(number, labels.get(number, [])) for number in numbers]


class TimeWindow(NamedTuple):
    """`since` is in Unix seconds."""

    name: str
    text: str
    since: int


def window_of(view: View, default: str = "7d") -> TimeWindow:
    """The window that a query asks for."""
    name = view.params.get("window", default)
    name = name if name in WINDOW_NAMES else default
    return TimeWindow(name, WINDOW_NAMES[name], view.now - WINDOWS[name])


def curl(view: View, path: str, *, method: str = "GET", body: str = "") -> str:
    """A line that asks the API for the same. `path` begins with /v1."""
    url = shlex.quote(view.base + path.removeprefix(view.links.root))
    words = ["curl", "-gs"]
    if method != "GET":
        words += ["-X", method]
    words += [url, KEY]
    if view.workspace != "default":
        words += ["-H", shlex.quote(f"X-Workspace-Id: {view.workspace}")]
    if body:
        words += ["-H 'Content-Type: application/json'", "-d", shlex.quote(body)]
    return " ".join(words)


def command(*words: str) -> str:
    """A line of the command line, with what somebody typed quoted."""
    return "gitprompt " + " ".join(shlex.quote(word) for word in words if word)
