# SPDX-License-Identifier: Apache-2.0
"""gitprompt prices: the table that costs are computed with if nobody sent them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import click

from gitprompt import prices as tables
from gitprompt.cli.checking.validation import text_of
from gitprompt.cli.output import Group, done, json_option, say, write_json, write_lines, write_table
from gitprompt.core.telemetry.prices import PriceTable

_OLD_DAYS = 180


@click.group(cls=Group)
def prices() -> None:
    """Check the table from which costs are computed when a call comes without one.

    \b
    Example:
      gitprompt prices check prices.yaml
      gitprompt serve --prices prices.yaml
    """


@prices.command()
@click.argument("file", required=False, type=click.Path())
@json_option
def check(file: str | None, as_json: bool) -> int:
    """Check a prices.yaml, or show the small table that ships with gitprompt.

    \b
    The format, in USD for a million tokens:
      as_of: "2026-01-31"
      prices:
        openai:
          gpt-4o: {input: 2.50, output: 10.00, cached: 1.25}
        ollama:
          "*": {input: 0, output: 0}
    """
    path = file or tables.shipped()
    table, findings = tables.read(path)
    if as_json:
        write_json(
            {
                "file": path,
                "as_of": table.as_of if table else None,
                "age_days": _age(table) if table else None,
                "prices": [
                    {"provider": provider, "model": model, **price._asdict()}
                    for (provider, model), price in (table.prices.items() if table else ())
                ],
                "findings": [finding._asdict() for finding in findings],
            }
        )
        return 0 if table else 1
    for finding in findings:
        write_lines("\n".join(text_of(finding, colors=False)))
    if table is None:
        return 1
    rows = [
        (provider, model, *(f"{amount:g}" for amount in (*price[:3], price.writing)))
        for (provider, model), price in table.prices.items()
    ]
    write_table(
        ("provider", "model", "input", "output", "cached", "written"), rows, empty="no prices"
    )
    age = _age(table)
    if age > _OLD_DAYS:
        say(f"warning: these prices are {age} days old; providers change them", err=True)
    done(f"{len(rows)} prices in USD for a million tokens, as of {table.as_of}")
    return 0


def _age(table: PriceTable) -> int:
    """Days since the prices were true."""
    return (datetime.now(UTC).date() - date.fromisoformat(table.as_of)).days
