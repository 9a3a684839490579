# SPDX-License-Identifier: Apache-2.0
"""gitprompt list, versions, show and render: they read from Git, no server is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gitprompt.cli import completion
from gitprompt.cli.output import (
    json_option,
    say,
    when,
    write_json,
    write_lines,
    write_table,
    write_yaml,
)
from gitprompt.cli.remote import client_of_place, place_options, whereabouts
from gitprompt.core import variables
from gitprompt.core.document import no_such_root, served
from gitprompt.core.printable import readable
from gitprompt.core.publication import LabelHistory, Version
from gitprompt.core.versions import newest
from gitprompt.errors import UsageError
from gitprompt.git.repository import NoRepository, Repository
from gitprompt.registry import remotes
from gitprompt.registry.clone import Clone, Resolved, Selector

if TYPE_CHECKING:
    from gitprompt.cli.online import Online


def registry() -> Clone:
    """The clone that one stands in."""
    repository = Repository.discover()
    repository.root = whereabouts().root
    return Clone(repository)


def reading() -> Clone | Online:
    """The clone, or the server that is to be asked instead."""
    client = client_of_place()
    if client is None:
        try:
            return registry()
        except NoRepository as error:
            error.hint += " Or ask a server, without a clone: --server URL"
            raise
    from gitprompt.cli.online import Online  # 100 ms, which a clone need not pay

    return Online(client)


def warn_of_root(clone: Clone) -> None:
    """Say that the folder of the prompts is missing: none of them would be found, and why is not
    plain."""
    if clone.is_root_missing:
        missing = no_such_root(clone.root)
        say(f"warning: {missing.message}", err=True)
        write_lines(f"  {missing.hint}", err=True)


def meet_remotes(repository: Repository) -> None:
    """Fetch from remotes that this clone was not set up for yet; one that cannot be reached stops
    nothing that can be done here."""
    for remote in repository.remotes():
        problem = remotes.meet(repository, remote)
        if problem:
            say(f"warning: what {remote} has is not known here: {problem}", err=True)


def labels_by_version(
    found: Clone | Online, name: str | None = None
) -> dict[str, dict[str, list[str]]]:
    """Prompt → version → its labels; removed and invalid labels are left out."""
    by_version: dict[str, dict[str, list[str]]] = {}
    for label in found.labels(name):
        if isinstance(label, LabelHistory) and label.version is not None:
            of_prompt = by_version.setdefault(label.name, {})
            of_prompt.setdefault(label.version, []).append(label.label)
    return by_version


@click.command("list")
@json_option
@place_options
def list_command(as_json: bool) -> None:
    """List the prompts with their newest version and labels.

    \b
    Example:
      gitprompt list
    """
    clone = reading()
    if not isinstance(clone, Clone):
        _write_list(clone.listed(), as_json=as_json)
        return
    warn_of_root(clone)
    labels = labels_by_version(clone)
    copies = clone.working_copies()
    unpushed = remotes.unpushed(clone.repository, clone.tags)
    items: list[dict[str, Any]] = [
        {
            "name": name,
            "latest": newest(clone.tags.get(name, ())),
            "versions": len(clone.tags.get(name, ())),
            "labels": {
                label: version
                for version, names in sorted(labels.get(name, {}).items())
                for label in names
            },
            "path": copies.get(name),
            "unpushed": unpushed.get(name, []),
        }
        for name in clone.names()
    ]
    _write_list(items, as_json=as_json)


def _write_list(items: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        write_json(items)
        return
    rows = [(item["name"], _newest(item), label_pairs(item["labels"])) for item in items]
    write_table(("prompt", "newest", "labels"), rows, empty="No prompts yet: gitprompt new welcome")


def _newest(item: Mapping[str, Any]) -> str:
    if item["latest"] is None:
        return "unpublished"
    return (
        f"{item['latest']} (not pushed)" if item["latest"] in item["unpushed"] else item["latest"]
    )


def label_pairs(labels: Mapping[str, str]) -> str:
    """production=1.2.0 staging=1.3.0"""
    return " ".join(f"{label}={version}" for label, version in sorted(labels.items()))


@click.command()
@click.argument("name", shell_complete=completion.names)
@json_option
@place_options
def versions(name: str, as_json: bool) -> None:
    """List the published versions of a prompt, newest first.

    \b
    Example:
      gitprompt versions support/triage
    """
    clone = reading()
    name = clone.name(name)
    published = clone.versions(name)
    if not published and name not in clone.names():
        clone.resolve(Selector(name, None))  # raises, with what there is instead
    labels = labels_by_version(clone, name).get(name, {})
    if as_json:
        write_json([{**_facts(v), "labels": labels.get(v.version, [])} for v in published])
        return
    titles = ("version", "created (UTC)", "author", "labels", "commit")
    rows = [
        (v.version, when(v.created_at), v.author, " ".join(labels.get(v.version, [])),
         (v.commit or v.blob)[:10])
        for v in published
    ]  # fmt: skip
    empty = f"{name} is not published yet: gitprompt publish {name}"
    write_table(titles, rows, empty=empty)


def _facts(version: Version) -> dict[str, Any]:
    """A version for programs; a server tells neither its tag nor its file."""
    facts = {**version._asdict(), "fragments": version.fragment_blobs}
    return {**facts, **{key: facts[key] or None for key in ("tag", "blob", "path")}}


@click.command()
@click.argument("prompt", shell_complete=completion.documents)
@json_option
@place_options
def show(prompt: str, as_json: bool) -> None:
    """Show a document as it is served.

    \b
    Examples:
      gitprompt show welcome
      gitprompt show welcome@production --json
      gitprompt show welcome@.          (the work tree)
    """
    clone = reading()
    resolved = clone.resolve(clone.select(prompt))
    document = _complete(resolved)
    if as_json:
        write_json(document)
        return
    write_yaml(document)


def _complete(resolved: Resolved) -> dict[str, Any]:
    name = resolved.selector.name
    if resolved.version is None:
        return {"name": name, **resolved.document}
    return served(resolved.document, name=name, version=resolved.version.version)


@click.command()
@click.argument("prompt", shell_complete=completion.documents)
@click.option("--var", "-v", "pairs", multiple=True, metavar="NAME=VALUE", help="A variable.")
@click.option(
    "--vars",
    "file",
    type=click.File(encoding="utf-8"),
    help="A JSON file with variables; - reads standard input.",
)
@click.option(
    "--placeholder",
    "conversations",
    multiple=True,
    metavar="NAME=FILE",
    help="A JSON file with the list of messages that takes the place of a placeholder.",
)
@json_option
@place_options
def render(
    prompt: str, pairs: tuple[str, ...], file: Any, conversations: tuple[str, ...], as_json: bool
) -> None:
    """Render a prompt with variables, as the server would.

    \b
    Examples:
      gitprompt render welcome@production --var name=Ada
      gitprompt render support/chat --placeholder history=history.json
    """
    values = _variables(pairs, file)
    placeholders = _placeholders(conversations)
    clone = reading()
    resolved = clone.resolve(clone.select(prompt))
    names = {name.partition(".")[0] for name in values}
    unknown = sorted(names - variables.effective(resolved.document).keys())
    if unknown:
        say(f"warning: {prompt} has no variable {', '.join(unknown)}", err=True)
    if resolved.document.get("deprecated"):
        say(f"warning: {prompt} is deprecated: {resolved.document['deprecated']}", err=True)
    messages = variables.render(resolved.document, values, placeholders)
    if as_json:
        write_json(messages)
        return
    write_lines("\n\n".join(map(_shown, messages)))


def _shown(message: Mapping[str, Any]) -> str:
    """Text as it is; parts and tool calls as JSON."""
    content = message.get("content")
    lines = [f"[{message.get('role')}]"]
    if isinstance(content, str):
        lines.append(content.rstrip())
    elif content is not None:
        lines.append(json.dumps(content, indent=2, ensure_ascii=False))
    if message.get("tool_calls"):
        lines.append(
            json.dumps({"tool_calls": message["tool_calls"]}, indent=2, ensure_ascii=False)
        )
    return "\n".join(lines)


def _placeholders(pairs: Sequence[str]) -> dict[str, Any]:
    conversations: dict[str, Any] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not equals:
            raise UsageError(f"--placeholder {pair}: write NAME=FILE")
        try:
            with open(path, encoding="utf-8") as file:
                conversations[name] = json.load(file)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"--placeholder {pair}: not JSON: {error}") from None
    return conversations


def _variables(pairs: Sequence[str], file: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = json.load(file)
        except ValueError as error:
            raise UsageError(f"--vars: not JSON: {error}") from None
        if not isinstance(values, dict):
            raise UsageError("--vars: the file must have one JSON object")
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--var {pair}: write NAME=VALUE")
        values[name] = readable(value)
    return values
