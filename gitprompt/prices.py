# SPDX-License-Identifier: Apache-2.0
"""Price tables as files: `prices.yaml`, the user's or the dated one that ships with gitprompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitprompt import checks, resources
from gitprompt.core.model import Finding
from gitprompt.core.prices import Price, PriceTable
from gitprompt.errors import Invalid, SetupError

NONE = "none"  # as a setting: no prices at all


def load(setting: str) -> PriceTable | None:
    """The table that the setting names: a file, 'none', or empty for the one that ships. Raises
    SetupError for a file that cannot be read, and Invalid for one that is wrong."""
    if setting == NONE:
        return None
    table, findings = read(setting or resources.path("deploy", "prices.yaml"))
    if table is None:
        first = findings[0]
        raise Invalid(
            f"{first.path}:{first.line}: {first.message}",
            hint=f"`gitprompt prices check {first.path}` says all that is wrong.",
        )
    return table


def read(path: str) -> tuple[PriceTable | None, list[Finding]]:
    """The table in a file, None where it is wrong, and the findings. Raises SetupError."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise SetupError(f"the prices {path} cannot be read: {error.strerror}") from error
    document, findings = checks.examine(data, path=path, kind="prices", name="")
    if checks.errors(findings):
        return None, findings
    return _table(document), findings


def _table(document: Mapping[str, Any]) -> PriceTable:
    prices = {
        (provider.lower(), model.lower()): _price(price)
        for provider, models in document["prices"].items()
        for model, price in models.items()
    }
    return PriceTable(document["as_of"], prices)


def _price(price: Mapping[str, float]) -> Price:
    return Price(price["input"], price["output"], price.get("cached", price["input"]))
