# SPDX-License-Identifier: Apache-2.0
"""gitprompt completion: click's own completion scripts, and what they offer for names, versions and
labels: those of the clone that one stands in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from gitprompt.errors import GitpromptError

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      gitprompt completion bash >> ~/.bashrc
    """
    from gitprompt.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "gitprompt", "_GITPROMPT_COMPLETE").source())


def _offered(words: Callable[[Any, click.Context, str], Iterable[str]]) -> Complete:
    """A completion of the words for the clone, or of nothing where there is none."""

    def complete(
        context: click.Context, _parameter: click.Parameter, typed: str
    ) -> list[CompletionItem]:
        from gitprompt.cli.read import registry

        with suppress(GitpromptError, OSError):
            found = sorted(set(words(registry(), context, typed)))
            return [CompletionItem(word) for word in found if word.startswith(typed)]
        return []

    return complete


def _points(clone: Any, name: str) -> list[str]:
    """The versions and labels of a prompt."""
    return [*clone.tags.get(name, ()), *_labels(clone, name)]


def _labels(clone: Any, name: str) -> list[str]:
    return [label for of, label in clone.label_pairs() if of == name]


def _document(clone: Any, _context: click.Context, typed: str) -> Iterable[str]:
    name, sign, _ = typed.partition("@")
    if sign:
        return [f"{name}@{point}" for point in (*_points(clone, name), ".")]
    return list(clone.names())


def _label(clone: Any, context: click.Context, _typed: str) -> Iterable[str]:
    return _labels(clone, str(context.params.get("name")))


def _move(clone: Any, context: click.Context, _typed: str) -> Iterable[str]:
    """The words of `label set`: a name, a label, and a version or another label."""
    words = context.params.get("words") or ()
    if not words:
        return list(clone.names())
    return _labels(clone, words[0]) if len(words) == 1 else _points(clone, words[0])


names = _offered(lambda clone, _context, _typed: clone.names())
documents = _offered(_document)
labels = _offered(_label)
moves = _offered(_move)
