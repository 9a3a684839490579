# SPDX-License-Identifier: Apache-2.0
"""Which series there are. All that belong together are made together, at 0, and found by one
look-up; what is beyond a cap is 'other'. Not locked: `Metrics` holds its lock meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitprompt.metrics import clean, families
from gitprompt.metrics.caps import Caps
from gitprompt.metrics.clean import OTHER
from gitprompt.metrics.families import Family
from gitprompt.metrics.series import Cell, Histogram, Series

PROMPT_RESULTS = ("ok", "not_modified", "not_found", "invalid")


class Outcomes(NamedTuple):
    """The series of a tool, a validator, or a stage of one type. A validation that passed is a
    success."""

    duration: Histogram
    success: Cell
    error: Cell


class Model(NamedTuple):
    """The series of a model."""

    duration: Histogram
    success: Cell
    error: Cell
    input: Cell
    output: Cell
    cached: Cell
    cost: Cell
    unpriced: Cell


class SuiteSeries(NamedTuple):
    """The series of a suite."""

    score: Histogram
    passed: Cell
    failed: Cell
    unjudged: Cell


class KnownSeries:
    """The series of a `Metrics`, by what they are about."""

    def __init__(self, buckets: Mapping[str, Sequence[float]], caps: Mapping[str, int]) -> None:
        self._series = {
            family.name: Series(family, buckets.get(family.name, family.buckets))
            for family in families.FAMILIES
        }
        self._caps = Caps(caps, self.of(families.LABEL_OVERFLOW))
        self._models: dict[tuple[str, str], Model] = {}
        self._stages: dict[str, tuple[Cell, Cell]] = {}
        self._outcomes: dict[tuple[str, str, str], Outcomes] = {}
        self._http: dict[tuple[str, str, int], Histogram] = {}
        self._prompts: dict[tuple[str, str], Mapping[str, Cell]] = {}
        for status in ("success", "error"):
            self.of(families.PIPELINE_DURATION).histogram(status)

    def of(self, family: Family) -> Series:
        return self._series[family.name]

    def model(
        self, provider: str | None, model: str | None, *, failed: bool, number: int = 1
    ) -> Model:
        """The series of a model; one that only ever failed has none of its own. `number`, here and
        below: for how many recordings."""
        if type(provider) is not str or type(model) is not str:
            provider, model = clean.label(provider), clean.label(model)
        known = self._models.get((provider, model))
        if known is not None:
            return known
        owner, name = clean.label(provider), clean.label(model)
        if (
            failed
            and self._caps.is_half_full("provider")
            and not self._caps.knows("provider", owner)
        ):
            owner = OTHER  # the rest is for those that do not only fail
        owner = self._caps.capped("provider", owner, number=number)
        if owner == OTHER or name == OTHER or not self._has_own(owner, name, failed, number):
            name = OTHER
        series = self._models.get((owner, name))
        if series is None:
            tokens, requests = (
                self.of(families.PROVIDER_TOKENS),
                self.of(families.PROVIDER_REQUESTS),
            )
            series = self._models[owner, name] = Model(
                self.of(families.PROVIDER_DURATION).histogram(owner, name),
                requests.cell(owner, name, "success"),
                requests.cell(owner, name, "error"),
                tokens.cell(owner, name, "input"),
                tokens.cell(owner, name, "output"),
                tokens.cell(owner, name, "cached"),
                self.of(families.PROVIDER_COST).cell(owner, name),
                self.of(families.PROVIDER_UNPRICED).cell(owner, name),
            )
        return series

    def _has_own(self, provider: str, model: str, failed: bool, number: int) -> bool:
        if failed:
            return self._caps.knows("model", (provider, model))
        return self._caps.admit("model", (provider, model), number=number)

    def tool(self, tool: str | None) -> Outcomes:
        name = clean.label(tool)
        outcomes = self._outcomes.get(("tool", name, ""))
        if outcomes is None:
            name = self._caps.capped("tool", name)
            calls = self.of(families.TOOL_CALLS)
            outcomes = self._outcomes["tool", name, ""] = Outcomes(
                self.of(families.TOOL_DURATION).histogram(name),
                calls.cell(name, "success"),
                calls.cell(name, "error"),
            )
        return outcomes

    def validator(self, validator: str | None, type: str | None) -> Outcomes:
        name, kind = clean.label(validator), clean.label(type)
        outcomes = self._outcomes.get(("validator", name, kind))
        if outcomes is None:
            name, kind = self._caps.typed("validator", name, kind)
            validations = self.of(families.VALIDATIONS)
            outcomes = self._outcomes["validator", name, kind] = Outcomes(
                self.of(families.VALIDATION_DURATION).histogram(name, kind),
                validations.cell(name, kind, "passed"),
                validations.cell(name, kind, "failed"),
            )
        return outcomes

    def stage(self, stage: str | None, type: str | None, *, number: int = 1) -> Outcomes:
        name, kind = clean.label(stage), clean.label(type)
        outcomes = self._outcomes.get(("stage", name, kind))
        if outcomes is None:
            name, kind = self._caps.typed("stage", name, kind, number=number)
            outcomes = self._outcomes["stage", name, kind] = Outcomes(
                self.of(families.STAGE_DURATION).histogram(name, kind), *self._elements(name)
            )
        return outcomes

    def elements(self, stage: str | None) -> tuple[Cell, Cell]:
        """What a stage has processed, well and badly; its type is not known."""
        name = clean.label(stage)
        return self._stages.get(name) or self._elements(self._caps.capped("stage", name))

    def _elements(self, name: str) -> tuple[Cell, Cell]:
        cells = self._stages.get(name)
        if cells is None:
            series = self.of(families.STAGE_ELEMENTS)
            cells = self._stages[name] = series.cell(name, "success"), series.cell(name, "error")
        return cells

    def suite(self, suite: str | None) -> SuiteSeries:
        name = self._caps.capped("suite", clean.label(suite))
        evals = self.of(families.EVALS)
        statuses = (evals.cell(name, status) for status in ("passed", "failed", "unjudged"))
        return SuiteSeries(self.of(families.EVAL_SCORE).histogram(name), *statuses)

    # of the sidecar

    def http(self, method: str, route: str, status: int) -> Histogram:
        histogram = self._http.get((method, route, status))
        if histogram is None:
            histogram = self.of(families.HTTP_DURATION).histogram(method, route, str(status))
            self._http[method, route, status] = histogram
        return histogram

    def prompt(self, workspace: str, prompt: str) -> Mapping[str, Cell]:
        """The requests for a prompt by result."""
        cells = self._prompts.get((workspace, prompt))
        if cells is not None:
            return cells
        if prompt == OTHER or not self._caps.admit("prompt", (workspace, prompt)):
            workspace, prompt = self._caps.capped("workspace", workspace), OTHER
        cells = self._prompts.get((workspace, prompt))
        if cells is None:
            series = self.of(families.PROMPT_REQUESTS)
            cells = {result: series.cell(workspace, prompt, result) for result in PROMPT_RESULTS}
            self._prompts[workspace, prompt] = cells
        return cells

    def moves(self, workspace: str, label: str) -> Cell:
        """How often labels of this name have moved."""
        moves = self.of(families.LABEL_MOVES)
        if self._caps.admit("label", (workspace, label)):
            return moves.cell(workspace, label)
        return moves.cell(OTHER, OTHER)

    def pointing(self, workspace: str, prompt: str, label: str, version: str) -> Cell | None:
        """What a label points at; None for a prompt beyond the cap."""
        if not self._caps.admit("prompt", (workspace, prompt), number=0):  # asked again and again
            return None
        return self.of(families.LABEL_VERSION).cell(workspace, prompt, label, version)

    def forget_pointing(self) -> None:
        """What labels pointed at until now."""
        self.of(families.LABEL_VERSION).cells.clear()
