# SPDX-License-Identifier: Apache-2.0
"""What a person sees: tables and bars on a terminal, plain text elsewhere, JSON when asked.

Everything that a command prints goes through here, and so through `printable`: what it names may
come from a colleague, a server or a file, and none of them may steer the terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import click

from gitprompt.core.printable import printable, printable_json, printable_lines

Function = TypeVar("Function", bound=Callable[..., Any])


def json_option(function: Function) -> Function:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(
        function
    )


class Group(click.Group):
    """A group whose list of commands says each in a whole sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None:
                text = (command.help or "").partition("\n\n")[0].replace("\n", " ")
                rows.append((name, text.partition(". ")[0].rstrip(".") + "."))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Styled(NamedTuple):
    """A piece of a line in a colour."""

    text: str
    fg: str | None = None
    bold: bool = False
    reverse: bool = False


def say(*pieces: str | Styled, err: bool = False) -> None:
    """One line."""
    click.echo("".join(map(_rendered, pieces)), err=err)


def _rendered(piece: str | Styled) -> str:
    if isinstance(piece, str):
        return printable(piece)
    return click.style(
        printable(piece.text), fg=piece.fg, bold=piece.bold or None, reverse=piece.reverse or None
    )


def write_lines(text: str, *, err: bool = False) -> None:
    """Text with line ends of its own, such as a document or our own advice."""
    click.echo(printable_lines(text), err=err)


def write_json(value: Any) -> None:
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    click.echo(printable_json(json.dumps(value, indent=2, ensure_ascii=not is_unicode)))


def write_yaml(document: Mapping[str, Any]) -> None:
    """A document with texts of several lines as blocks, and versions in quotes."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        if printable_lines(value) != value:
            style = '"'  # in quotes, YAML has escapes for what must not be printed
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    written = yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    write_lines(written.rstrip("\n"))


def write_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """A table on a terminal; tab-separated lines, without a head, elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(map(printable, row)))
        return
    if not rows:
        say(empty)
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    cells = [[printable(cell) for cell in row] for row in rows]
    width = 0
    for at, column in enumerate(columns):
        is_free = column in _FREE
        if not is_free:
            for row in cells:
                row[at] = _by_words(row[at])
        longest = max(len(line) for row in cells for line in (column, *row[at].split("\n")))
        width += (min(longest, _LEAST) if is_free else longest) + _GAP
        table.add_column(column, overflow="fold", no_wrap=not is_free)
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console()
    console.width = max(console.width, width)
    console.print(table)


# What may be broken anywhere where there is little room; a version, a label or a date may not.
_FREE = frozenset({"prompt", "author", "by", "why", "name", "suite", "trace", "span", "model"})
_LEAST, _GAP = 12, 3  # columns of the screen


def _by_words(cell: str) -> str:
    """A cell in lines of some 30 characters, which end between words."""
    from textwrap import wrap

    return "\n".join(wrap(cell, 30, break_long_words=False, break_on_hyphens=False))


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while something long runs; nothing where it is no terminal. `total` 0:
    nobody knows."""
    if not sys.stderr.isatty():
        yield lambda _step: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total or None)
        yield lambda step: bar.advance(task, step)


def when(seconds: int) -> str:
    """A Unix time as a person reads it, in UTC."""
    import time

    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def done(text: str) -> None:
    """Something happened as asked."""
    say(Styled("✓", fg="green"), f" {text}")
