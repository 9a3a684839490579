# SPDX-License-Identifier: Apache-2.0
"""Price tables as files: `prices.yaml`, the user's or the dated one that ships with gitprompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from gitprompt import checks, formats, resources
from gitprompt.core.model import Finding
from gitprompt.core.telemetry.prices import ANY, Price, PriceTable
from gitprompt.errors import Invalid, SetupError
from gitprompt.formats.text import Path

# Settings that are no files: the table that ships, and no prices at all.
SHIPPED = "shipped"
NONE = "none"


def load(setting: str) -> PriceTable | None:
    """The table that the setting names: a file, 'shipped' or 'none'. Raises SetupError for a file
    that cannot be read, and Invalid for one that is wrong."""
    if setting == NONE:
        return None
    table, findings = read(shipped() if setting == SHIPPED else setting)
    if table is None:
        first = findings[0]
        raise Invalid(
            f"{first.path}:{first.line}: {first.message}",
            hint=f"`gitprompt prices check {first.path}` says all that is wrong.",
        )
    return table


def shipped() -> str:
    """The file of the table that ships."""
    return resources.path("deploy", "prices.yaml")


def read(path: str) -> tuple[PriceTable | None, list[Finding]]:
    """The table in a file, None if it is wrong, and the findings. Raises SetupError."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise SetupError(f"the prices {path} cannot be read: {error.strerror}") from error
    document, findings = checks.examine(data, path=path, kind="prices", name="")
    if not checks.errors(findings):
        findings += [_placed(data, path, *problem) for problem in _problems(document)]
    return (None if checks.errors(findings) else _table(document)), findings


def _problems(document: Mapping[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """What a schema cannot say: where, what, and what to do."""
    try:
        date.fromisoformat(document["as_of"])
    except ValueError as error:
        yield ("as_of",), f"as_of: {error}", "Use the day on which you looked: YYYY-MM-DD."
    owners: dict[tuple[str, ...], str] = {}
    for provider, models in document["prices"].items():
        for place in ((provider,), *((provider, model) for model in models)):
            name = place[-1]
            if owners.setdefault(tuple(part.lower() for part in place), name) != name:
                yield ("prices", *place), f"'{name}' appears twice, in different case", "Keep one."
            elif name != name.strip():
                yield ("prices", *place), f"'{name}' has spaces around it", "Take them away."
            elif "*" in name and place[1:] != (ANY,):
                hint = "A model '*' is any other of its provider; there are no other patterns."
                yield ("prices", *place), f"'{name}' is no name", hint


def _placed(data: bytes, path: str, where: Path, message: str, hint: str) -> Finding:
    return Finding("schema", "error", message, hint, path, *formats.locate(data, where))


def _table(document: Mapping[str, Any]) -> PriceTable:
    prices = {
        (provider.lower(), model.lower()): _price(price)
        for provider, models in document["prices"].items()
        for model, price in models.items()
    }
    return PriceTable(document["as_of"], prices)


def _price(price: Mapping[str, float]) -> Price:
    into = price["input"]
    return Price(into, price["output"], price.get("cached", into), price.get("written"))
