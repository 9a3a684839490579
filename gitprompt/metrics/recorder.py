# SPDX-License-Identifier: Apache-2.0
"""`Metrics`: what is recorded, by whom ever: ingest, an event bus, an instrument, or a direct call.

Whatever is recorded is cleaned and capped here, and nothing that is recorded raises: a metric must
never break what it measures.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client import Metric

from gitprompt.core.prices import PriceTable
from gitprompt.core.usage import MAX_COST, MAX_COUNT
from gitprompt.metrics import clean, families
from gitprompt.metrics.caps import Caps, check_buckets
from gitprompt.metrics.clean import OTHER
from gitprompt.metrics.families import Family
from gitprompt.metrics.series import Cell, Histogram, Series

NAMESPACE = "gitprompt"
RUN_EXPIRY = 3_600.0  # seconds after which a run that never ended is not running any more
_MAX_OPEN = 100_000  # runs
_PART = 8  # series of a histogram to one part of an exposition: about a millisecond
PROMPT_RESULTS = ("ok", "not_modified", "not_found", "invalid")
_NAMESPACE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")


@dataclass(slots=True)
class Calls:
    """Calls of a model that went alike: all failed or none, all with a cost (USD) or none. Tokens are
    disjoint sums; `seconds` has the durations that are known, `trace_id` is one of theirs."""

    failed: bool
    number: int = 0
    input: float = 0
    output: float = 0
    cached: float = 0
    cost: float | None = None
    trace_id: str | None = None
    seconds: list[float] = field(default_factory=list)


class _Outcomes(NamedTuple):
    """The series of a tool, a validator, or a stage of one type."""

    duration: Histogram
    good: Cell
    bad: Cell


class _Model(NamedTuple):
    """The series of a model."""

    duration: Histogram
    good: Cell
    bad: Cell
    input: Cell
    output: Cell
    cached: Cell
    cost: Cell
    unpriced: Cell


class Metrics:
    """All series of a process: a collector for any `CollectorRegistry`.

    `buckets` (by metric name without namespace) and `caps` (by label) take the place of what
    `families` says. Raises ValueError for a bad namespace, bucket or cap. Safe for threads.
    """

    def __init__(
        self,
        *,
        namespace: str = NAMESPACE,
        buckets: Mapping[str, Sequence[float]] | None = None,
        caps: Mapping[str, int] | None = None,
        prices: PriceTable | None = None,
        run_expiry: float = RUN_EXPIRY,
        only: Sequence[Family] = families.APPLICATION,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _NAMESPACE.match(namespace):
            raise ValueError(
                f"'{namespace}' cannot be a namespace: letters, digits and _ are taken"
            )
        self.namespace = namespace
        self._prices = prices
        self.run_expiry = run_expiry
        self._clock = clock
        self._lock = threading.Lock()
        bounds = check_buckets(buckets or {})
        self._only = only
        self._series = {
            family.name: Series(family, bounds.get(family.name, family.buckets))
            for family in families.FAMILIES
        }
        self._caps = Caps(caps or {}, self._of(families.LABEL_OVERFLOW))
        self._stages: dict[str, tuple[Cell, Cell]] = {}
        self._calls: dict[tuple[str | None, str | None], _Model] = {}
        self._outcomes: dict[tuple[str, str, str], _Outcomes] = {}
        self._http: dict[tuple[str, str, int], Histogram] = {}
        self._prompts: dict[tuple[str, str], dict[str, Cell]] = {}
        self._open: dict[str, float] = {}  # run → when it expires, oldest first
        self._anonymous = itertools.count(1)
        for status in ("success", "error"):
            self._of(families.PIPELINE_DURATION).at(status)

    # recording, as an application sees it

    def record_pipeline_start(self, run_id: str | None = None, *, age: float = 0.0) -> str:
        """A pipeline runs, since `age` seconds; returns its id, made where none is given."""
        key = run_id if run_id is not None else f"\0{next(self._anonymous)}"
        with self._lock:
            self._open.setdefault(key, self._clock() + self.run_expiry - age)
            if len(self._open) > _MAX_OPEN:
                del self._open[next(iter(self._open))]
        return key

    def record_pipeline_end(
        self,
        status: str,
        seconds: float | None,
        run_id: str | None = None,
        *,
        trace_id: str | None = None,
    ) -> None:
        """A pipeline ended. Without an id the oldest that was started without one is meant."""
        observed = clean.observed(seconds) or 0.0
        outcome = "error" if clean.failed(status) else "success"
        with self._lock:
            self._close(run_id)
            self._of(families.PIPELINE_DURATION).at(outcome).observe(
                observed, clean.trace_id(trace_id)
            )

    def forget_pipeline(self, run_id: str) -> None:
        """A pipeline is not running, and how it ended is not known."""
        with self._lock:
            self._close(run_id)

    def record_stage_duration(self, stage: str, stage_type: str, seconds: float) -> None:
        self._outcome("stage", stage, stage_type, seconds, None)

    def record_stage_element(self, stage: str, status: str, number: int = 1) -> None:
        with self._lock:
            cells = self._elements_of(clean.label(stage))
            cells[clean.failed(status)].value += clean.amount(number, MAX_COUNT)

    def record_stage(
        self, stage: str, stage_type: str, seconds: float | None, *, failed: bool
    ) -> None:
        """One element went through a stage."""
        self.record_stages(stage, stage_type, [seconds], failed=failed)

    def record_stages(
        self, stage: str, stage_type: str, seconds: Sequence[float | None], *, failed: bool
    ) -> None:
        """Elements went through a stage: how long each took, None where nobody measured."""
        with self._lock:
            series = self._outcomes_of("stage", clean.label(stage), clean.label(stage_type))
            (series.bad if failed else series.good).value += len(seconds)
            for one in seconds:
                observed = clean.observed(one)
                if observed is not None:
                    series.duration.observe(observed)

    def record_provider_request(
        self, provider: str, model: str, status: str, seconds: float, *, trace_id: str | None = None
    ) -> None:
        """A call of a model; what it used is for the next two."""
        observed, trace = clean.observed(seconds), clean.trace_id(trace_id)
        failed = clean.failed(status)
        with self._lock:
            series = self._calls_of(provider, model, failed=failed)
            (series.bad if failed else series.good).value += 1
            if observed is not None:
                series.duration.observe(observed, trace)

    def record_provider_tokens(
        self, provider: str, model: str, input: int = 0, output: int = 0, cached: int = 0
    ) -> None:
        """Tokens by type. The three are disjoint: `input` does not count what was cached."""
        with self._lock:
            _use(self._calls_of(provider, model, failed=False), input, output, cached, None)

    def record_provider_cost(self, provider: str, model: str, usd: float) -> None:
        with self._lock:
            _use(self._calls_of(provider, model, failed=False), 0, 0, 0, usd)

    def record_provider_call(
        self,
        provider: str | None,
        model: str | None,
        *,
        failed: bool,
        seconds: float | None,
        input: float = 0,
        output: float = 0,
        cached: float = 0,
        cost: float | None = None,
        trace_id: str | None = None,
    ) -> None:
        """A whole call of a model. `cost` None: the price table's, or else it counts as unpriced.
        A failed call that used nothing costs nothing."""
        calls = Calls(failed, 1, input, output, cached, cost, trace_id)
        if seconds is not None:
            calls.seconds.append(seconds)
        self.record_provider_calls(provider, model, calls)

    def record_provider_calls(self, provider: str | None, model: str | None, calls: Calls) -> None:
        """Calls that went alike, for the price of one."""
        input, output, cached, cost = calls.input, calls.output, calls.cached, calls.cost
        is_unpriced = False
        if cost is None and (input or output or cached or not calls.failed):
            table = self._prices
            cost = table.cost(provider, model, input, output, cached) if table else None
            is_unpriced = cost is None
        trace_id = clean.trace_id(calls.trace_id)
        with self._lock:
            series = self._calls_of(provider, model, failed=calls.failed)
            (series.bad if calls.failed else series.good).value += calls.number
            for seconds in calls.seconds:
                observed = clean.observed(seconds)
                if observed is not None:
                    series.duration.observe(observed, trace_id)
            _use(series, input, output, cached, cost, calls.number)
            if is_unpriced:
                series.unpriced.value += calls.number

    def add_to_provider_call(
        self,
        provider: str | None,
        model: str | None,
        *,
        input: float,
        output: float,
        cached: float,
        cost: float,
    ) -> None:
        """What a call that is counted already has used besides."""
        with self._lock:
            _use(self._calls_of(provider, model, failed=False), input, output, cached, cost)

    def record_tool_call(
        self, tool: str, status: str, seconds: float | None, *, trace_id: str | None = None
    ) -> None:
        self._outcome("tool", tool, "", seconds, clean.failed(status), trace_id)

    def record_validation(
        self, validator: str, validator_type: str, status: str, seconds: float | None
    ) -> None:
        """`status` is passed or failed; `seconds` None where nobody measured."""
        self._outcome("validator", validator, validator_type, seconds, clean.failed(status))

    def record_eval(self, suite: str, score: float | None, passed: bool | None) -> None:
        """The result of an evaluation; `passed` None where nothing says what passes."""
        number = clean.observed(score)
        with self._lock:
            name = self._caps.capped("suite", clean.label(suite))
            evals = self._of(families.EVALS)
            cells = [evals.cell(name, status) for status in ("passed", "failed", "unjudged")]
            cells[2 if passed is None else int(not passed)].value += 1
            histogram = self._of(families.EVAL_SCORE).at(name)
            if number is not None:
                histogram.observe(number)
        if passed is not None:
            self._outcome("validator", suite, "eval", None, not passed)

    def know(self, kind: str, name: str | None, type: str | None) -> None:
        """Have the series of a model (`name` is its provider, `type` the model), tool, stage or
        validator at 0."""
        with self._lock:
            if kind == "llm":
                self._calls_of(name, type, failed=False)
            else:
                self._outcomes_of(kind, clean.label(name), clean.label(type))

    # recording, as the sidecar sees it

    def record_http(self, method: str, route: str, status: int, seconds: float) -> None:
        """`method` and `route` (a template) are of a fixed set."""
        with self._lock:
            key = method, route, status
            found = self._http.get(key)
            if found is None:
                found = self._of(families.HTTP_DURATION).at(method, route, str(status))
                self._http[key] = found
            found.observe(seconds)

    def record_prompt_request(self, workspace: str, prompt: str, result: str) -> None:
        with self._lock:
            cells = self._prompts.get((workspace, prompt))
            if cells is None:
                cells = self._prompt_cells(workspace, prompt)
            cells[result].value += 1

    def record_ingest(self, kind: str, result: str, number: int = 1) -> None:
        """`kind` and `result` are of a fixed set."""
        with self._lock:
            self._of(families.INGEST_EVENTS).cell(kind, result).value += number

    def record_commit(self, seconds: float) -> None:
        with self._lock:
            self._of(families.INGEST_COMMIT).at().observe(seconds)

    def record_sync(self, driver: str, result: str, seconds: float) -> None:
        with self._lock:
            self._of(families.SYNC_RUNS).cell(driver, result).value += 1
            self._of(families.SYNC_DURATION).at().observe(seconds)

    def record_label_moves(self, workspace: str, label: str, number: int) -> None:
        with self._lock:
            moves = self._of(families.LABEL_MOVES)
            moves.cell(clean.label(workspace), clean.label(label)).value += number

    def know_driver(self, driver: str) -> None:
        """Have the counters of a driver's syncs at 0."""
        with self._lock:
            for result in ("success", "error"):
                self._of(families.SYNC_RUNS).cell(driver, result)

    def set(self, gauge: Family, value: float, *labels: str) -> None:
        with self._lock:
            self._of(gauge).cell(*labels).value = value

    def set_label_versions(self, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """All labels: (workspace, prompt, label, version). What is not among them is gone; prompts
        beyond the cap are left out."""
        with self._lock:
            info = self._of(families.LABEL_VERSION)
            info.cells.clear()
            moves = self._of(families.LABEL_MOVES)
            for workspace, prompt, label, version in rows:
                if self._caps.admit("prompt", (workspace, prompt)):
                    info.cell(workspace, prompt, label, version).value = 1.0
                    moves.cell(workspace, label)

    # inside the lock

    def _of(self, family: Family) -> Series:
        return self._series[family.name]

    def _close(self, run_id: str | None) -> None:
        if run_id is None:
            run_id = next((key for key in self._open if key.startswith("\0")), None)
        if run_id is not None:
            self._open.pop(run_id, None)

    def _calls_of(self, provider: str | None, model: str | None, *, failed: bool) -> _Model:
        """The series of a model, all of them; a model that only ever failed has none of its own."""
        known = self._calls.get((provider, model))
        if known is not None:
            return known
        made = self._caps.capped("provider", clean.label(provider))
        name = clean.label(model)
        has_own = self._caps.knows if failed else self._caps.admit
        if made == OTHER or name == OTHER or not has_own("model", (made, name)):
            name = OTHER
        calls = self._calls.get((made, name))
        if calls is None:
            tokens = self._of(families.PROVIDER_TOKENS)
            requests = self._of(families.PROVIDER_REQUESTS)
            calls = self._calls[made, name] = _Model(
                self._of(families.PROVIDER_DURATION).at(made, name),
                requests.cell(made, name, "success"),
                requests.cell(made, name, "error"),
                tokens.cell(made, name, "input"),
                tokens.cell(made, name, "output"),
                tokens.cell(made, name, "cached"),
                self._of(families.PROVIDER_COST).cell(made, name),
                self._of(families.PROVIDER_UNPRICED).cell(made, name),
            )
        return calls

    def _elements_of(self, stage: str) -> tuple[Cell, Cell]:
        return self._stages.get(stage) or self._elements(self._caps.capped("stage", stage))

    def _elements(self, name: str) -> tuple[Cell, Cell]:
        known = self._stages.get(name)
        if known is None:
            series = self._of(families.STAGE_ELEMENTS)
            known = series.cell(name, "success"), series.cell(name, "error")
            self._stages[name] = known
        return known

    def _outcomes_of(self, kind: str, name: str, type: str) -> _Outcomes:
        """The series of a tool, a validator or a stage (`kind` is the label's name)."""
        known = self._outcomes.get((kind, name, type))
        if known is not None:
            return known
        if name != OTHER and not self._caps.admit(kind, name if kind == "tool" else (name, type)):
            name = type = OTHER
        if kind == "tool":
            calls = self._of(families.TOOL_CALLS)
            made = _Outcomes(
                self._of(families.TOOL_DURATION).at(name),
                calls.cell(name, "success"),
                calls.cell(name, "error"),
            )
        elif kind == "validator":
            validations = self._of(families.VALIDATIONS)
            made = _Outcomes(
                self._of(families.VALIDATION_DURATION).at(name, type),
                validations.cell(name, type, "passed"),
                validations.cell(name, type, "failed"),
            )
        else:
            duration = self._of(families.STAGE_DURATION).at(name, type)
            made = _Outcomes(duration, *self._elements(name))
        self._outcomes[kind, name, type] = made
        return made

    def _prompt_cells(self, workspace: str, prompt: str) -> dict[str, Cell]:
        admitted = prompt != OTHER and self._caps.admit("prompt", (workspace, prompt))
        key = (workspace, prompt) if admitted else (clean.label(workspace), OTHER)
        cells = self._prompts.get(key)
        if cells is None:
            series = self._of(families.PROMPT_REQUESTS)
            cells = {result: series.cell(*key, result) for result in PROMPT_RESULTS}
            self._prompts[key] = cells
        return cells

    # outside of it

    def _outcome(
        self,
        kind: str,
        name: str | None,
        type: str | None,
        seconds: float | None,
        failed: bool | None,
        trace_id: str | None = None,
    ) -> None:
        observed, trace = clean.observed(seconds), clean.trace_id(trace_id)
        label, type_label = clean.label(name), clean.label(type)
        with self._lock:
            outcomes = self._outcomes_of(kind, label, type_label)
            if failed is not None:
                (outcomes.bad if failed else outcomes.good).value += 1
            if observed is not None:
                outcomes.duration.observe(observed, trace)

    # collecting

    def describe(self) -> Iterator[Metric]:
        """The names, for a registry that refuses duplicates."""
        for family in self._only:
            yield next(self._of(family).metrics(self._name(family), (), 1))

    def collect(self) -> Iterator[Metric]:
        """Every family, whole."""
        return self.parts(None)

    def parts(self, size: int | None = _PART) -> Iterator[Metric]:
        """Every family, in parts of so many series, so that a scrape holds nobody up."""
        for family in self._only:
            with self._lock:
                if family is families.PIPELINES_ACTIVE:
                    self._count_open()
                copies = self._of(family).copies()
            step = size if size is not None else max(len(copies), 1)
            yield from self._of(family).metrics(self._name(family), copies, step)

    def _name(self, family: Family) -> str:
        return f"{self.namespace}_{family.name}"

    def _count_open(self) -> None:
        now = self._clock()
        for key in [key for key, expires in self._open.items() if expires <= now]:
            del self._open[key]
        self._of(families.PIPELINES_ACTIVE).cell().value = float(len(self._open))


def _use(
    series: _Model, input: float, output: float, cached: float, cost: float | None, number: int = 1
) -> None:
    """What so many calls used. Most use nothing of something."""
    if input:
        series.input.value += clean.amount(input, MAX_COUNT * number)
    if output:
        series.output.value += clean.amount(output, MAX_COUNT * number)
    if cached:
        series.cached.value += clean.amount(cached, MAX_COUNT * number)
    if cost:
        series.cost.value += clean.amount(cost, MAX_COST * number)


METRICS = Metrics()  # of this process, where a program names no other
