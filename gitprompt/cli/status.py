# SPDX-License-Identifier: Apache-2.0
"""gitprompt status: what is unpublished, what is labelled, what the server makes of it."""

from __future__ import annotations

import json
from typing import Any

import click

from gitprompt.cli.output import (
    Styled,
    json_option,
    progress,
    say,
    write_json,
    write_lines,
    write_table,
)
from gitprompt.cli.read import label_pairs, labels_by_version, registry, warn_of_root
from gitprompt.cli.remote import connect, root_option, server_options
from gitprompt.core.document import digest
from gitprompt.core.versions import newest
from gitprompt.errors import GitpromptError, UsageError
from gitprompt.git.repository import NoRepository
from gitprompt.registry import remotes
from gitprompt.registry.clone import Clone, Selector
from gitprompt.registry.versions import Loaded


@click.command()
@server_options
@json_option
@root_option
def status(server: str | None, api_key: str | None, workspace: str | None, as_json: bool) -> None:
    """Show unpublished changes, newest versions and labels; with a server, what it serves and what
    it rejected.

    \b
    Example:
      gitprompt status
    """
    try:
        clone = registry()
    except NoRepository as error:
        error.hint += " What a server has: gitprompt list --server URL"
        raise
    warn_of_root(clone)
    client = _client(server, api_key, workspace)
    prompts = _prompts(clone)
    state = None
    if client is not None:
        try:
            state = client.get("/v1/sync")
            _add_served(prompts, client)
        except GitpromptError as error:  # what is here can be shown all the same
            client = None
            say(f"warning: what the server has is not known: {error.message}", err=True)
    if as_json:
        write_json({"prompts": prompts, "server": state})
        return
    rows = [_row(item, with_server=client is not None) for item in prompts]
    columns = ("prompt", "state", "newest", "labels") + (("served",) if client else ())
    write_table(columns, rows, empty="No prompts yet: gitprompt new welcome")
    if state:
        _write_state(state)


def _client(server: str | None, api_key: str | None, workspace: str | None) -> Any:
    """None too if there is no key for it: what is in Git can be shown without a server."""
    try:
        return connect(server, api_key, workspace)
    except UsageError as error:
        say(f"note: {error.message}", err=True)
        write_lines(f"  {error.hint}", err=True)
        return None


def _prompts(found: Clone) -> list[dict[str, Any]]:
    copies = found.working_copies()
    labels = labels_by_version(found)
    unpushed = remotes.unpushed(found.repository, found.tags)
    moved = remotes.unpushed_labels(found.repository, found.settings.namespace)
    names = found.names()
    bases = found.bases(name for name in names if name in copies)
    items: list[dict[str, Any]] = []
    with progress("comparing", len(names)) as advance:
        for name in names:
            latest = newest(found.tags.get(name, ()))
            items.append(
                {
                    "name": name,
                    "state": _state(found, name, latest, bases.get(name), copies.get(name)),
                    "latest": latest,
                    "base": found.base(name),
                    "labels": {
                        label: version
                        for version, of_version in labels.get(name, {}).items()
                        for label in of_version
                    },
                    "unpushed": unpushed.get(name, []),
                    "unpushed_labels": sorted(label for of, label in moved if of == name),
                }
            )
            advance(1)
    return items


def _state(
    found: Clone, name: str, latest: str | None, published: Loaded | None, path: str | None
) -> str:
    if path is None:
        return "published only"
    if latest is None:
        return "unpublished"
    base = found.base(name) or latest
    if published is None:
        return f"{base} not valid"
    same = found.is_untouched(path, published)
    if not same:
        copy = found.find(Selector(name, "."))
        if copy is None:
            return "not valid"
        same = digest(copy.document) == digest(json.loads(published.document))
    state = "clean" if same else "changed"
    return state if base == latest else f"{state} since {base}"


def _add_served(prompts: list[dict[str, Any]], client: Any) -> None:
    served = {item["name"]: item for item in client.everything("/v1/prompts")}
    for item in prompts:
        item["served"] = served.get(item["name"])


def _row(item: dict[str, Any], *, with_server: bool) -> tuple[str, ...]:
    state = item["state"]
    if item["unpushed"]:
        state += f", not pushed: {', '.join(item['unpushed'])}"
    if item["unpushed_labels"]:
        state += f", labels not pushed: {', '.join(item['unpushed_labels'])}"
    row = (item["name"], state, item["latest"] or "none", label_pairs(item["labels"]))
    if not with_server:
        return row
    served = item["served"]
    return (
        *row,
        f"{served['latest']} {label_pairs(served['labels'])}".strip() if served else "nothing",
    )


def _write_state(state: dict[str, Any]) -> None:
    if state["last_error"]:
        say(Styled(f"The last sync failed: {state['last_error']}", fg="red"))
    for item in state["rejected"]:
        for finding in item["findings"]:
            say(Styled("rejected", fg="red"), f" {item['ref']}: {finding['message']}")
    for item in state["tampered"]:
        say(
            Styled(item["condition"], fg="red"),
            f" {item['ref']}: what was first published goes on being served",
        )
