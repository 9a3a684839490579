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

from prometheus_client import Metric

from gitprompt.core.prices import PriceTable
from gitprompt.core.usage import MAX_COST, MAX_COUNT
from gitprompt.metrics import clean, families
from gitprompt.metrics.caps import check_buckets
from gitprompt.metrics.families import Family
from gitprompt.metrics.known import Known, Model, Outcomes

NAMESPACE = "gitprompt"
RUN_EXPIRY = 3_600.0  # seconds after which a run that never ended is not running any more
_MAX_OPEN = 100_000  # runs
_PART = 4  # series of a histogram to one part of an exposition: most of a millisecond
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
        self._only = only
        self._known = Known(check_buckets(buckets or {}), caps or {})
        self._open: dict[str, float] = {}  # run → when it expires, oldest first
        self._anonymous = itertools.count(1)

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
            self._known.of(families.PIPELINE_DURATION).at(outcome).observe(
                observed, clean.trace_id(trace_id)
            )

    def forget_pipeline(self, run_id: str) -> None:
        """A pipeline is not running, and how it ended is not known."""
        with self._lock:
            self._close(run_id)

    def record_stage_duration(self, stage: str, stage_type: str, seconds: float) -> None:
        observed = clean.observed(seconds)
        with self._lock:
            series = self._known.stage(stage, stage_type)
            if observed is not None:
                series.duration.observe(observed)

    def record_stage_element(self, stage: str, status: str, number: int = 1) -> None:
        with self._lock:
            cells = self._known.elements(stage)
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
            series = self._known.stage(stage, stage_type)
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
            series = self._known.model(provider, model, failed=failed)
            (series.bad if failed else series.good).value += 1
            if observed is not None:
                series.duration.observe(observed, trace)

    def record_provider_tokens(
        self, provider: str, model: str, input: int = 0, output: int = 0, cached: int = 0
    ) -> None:
        """Tokens by type. The three are disjoint: `input` does not count what was cached."""
        with self._lock:
            _use(self._known.model(provider, model, failed=False), input, output, cached, None)

    def record_provider_cost(self, provider: str, model: str, usd: float) -> None:
        with self._lock:
            _use(self._known.model(provider, model, failed=False), 0, 0, 0, usd)

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
            series = self._known.model(provider, model, failed=calls.failed)
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
            _use(self._known.model(provider, model, failed=False), input, output, cached, cost)

    def record_tool_call(
        self, tool: str, status: str, seconds: float | None, *, trace_id: str | None = None
    ) -> None:
        with self._lock:
            _note(self._known.tool(tool), seconds, clean.failed(status), trace_id)

    def record_validation(
        self, validator: str, validator_type: str, status: str, seconds: float | None
    ) -> None:
        """`status` is passed or failed; `seconds` None where nobody measured."""
        with self._lock:
            _note(self._known.validator(validator, validator_type), seconds, clean.failed(status))

    def record_eval(self, suite: str, score: float | None, passed: bool | None) -> None:
        """The result of an evaluation; `passed` None where nothing says what passes."""
        number = clean.observed(score)
        with self._lock:
            series = self._known.suite(suite)
            if number is not None:
                series.score.observe(number)
            if passed is None:
                series.unjudged.value += 1
                return
            (series.passed if passed else series.failed).value += 1
            _note(self._known.validator(suite, "eval"), None, not passed)

    def know(self, kind: str, name: str | None, type: str | None) -> None:
        """Have the series of a model (`name` is its provider, `type` the model), tool, stage or
        validator at 0."""
        with self._lock:
            if kind == "llm":
                self._known.model(name, type, failed=False)
            elif kind == "tool":
                self._known.tool(name)
            elif kind == "validator":
                self._known.validator(name, type)
            else:
                self._known.stage(name, type)

    # recording, as the sidecar sees it

    def record_http(self, method: str, route: str, status: int, seconds: float) -> None:
        """`method` and `route` (a template) are of a fixed set."""
        with self._lock:
            self._known.http(method, route, status).observe(seconds)

    def record_prompt_request(self, workspace: str, prompt: str, result: str) -> None:
        with self._lock:
            self._known.prompt(workspace, prompt)[result].value += 1

    def record_ingest(self, kind: str, result: str, number: int = 1) -> None:
        """`kind` and `result` are of a fixed set."""
        with self._lock:
            self._known.of(families.INGEST_EVENTS).cell(kind, result).value += number

    def record_commit(self, seconds: float) -> None:
        with self._lock:
            self._known.of(families.INGEST_COMMIT).at().observe(seconds)

    def record_sync(self, driver: str, result: str, seconds: float) -> None:
        with self._lock:
            self._known.of(families.SYNC_RUNS).cell(driver, result).value += 1
            self._known.of(families.SYNC_DURATION).at().observe(seconds)

    def record_label_moves(self, workspace: str, label: str, number: int) -> None:
        with self._lock:
            self._known.moves(workspace, label).value += number

    def know_driver(self, driver: str) -> None:
        """Have the counters of a driver's syncs at 0."""
        with self._lock:
            for result in ("success", "error"):
                self._known.of(families.SYNC_RUNS).cell(driver, result)

    def set(self, gauge: Family, value: float, *labels: str) -> None:
        with self._lock:
            self._known.of(gauge).cell(*labels).value = value

    def set_label_versions(self, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """All labels: (workspace, prompt, label, version). What is not among them is gone; prompts
        beyond the cap are left out."""
        with self._lock:
            self._known.of(families.LABEL_VERSION).cells.clear()
            for workspace, prompt, label, version in rows:
                cell = self._known.pointing(workspace, prompt, label, version)
                if cell is not None:
                    cell.value = 1.0
                    self._known.moves(workspace, label)

    # the open ones, inside the lock

    def _close(self, run_id: str | None) -> None:
        if run_id is None:
            run_id = next((key for key in self._open if key.startswith("\0")), None)
        if run_id is not None:
            self._open.pop(run_id, None)

    # collecting

    def describe(self) -> Iterator[Metric]:
        """The names, for a registry that refuses duplicates."""
        for family in self._only:
            yield next(self._known.of(family).metrics(self._name(family), (), 1))

    def collect(self) -> Iterator[Metric]:
        """Every family, whole."""
        return self.parts(None)

    def parts(self, size: int | None = _PART) -> Iterator[Metric]:
        """Every family, in parts of so many series, so that a scrape holds nobody up."""
        for family in self._only:
            with self._lock:
                if family is families.PIPELINES_ACTIVE:
                    self._count_open()
                copies = self._known.of(family).copies()
            step = size if size is not None else max(len(copies), 1)
            yield from self._known.of(family).metrics(self._name(family), copies, step)

    def _name(self, family: Family) -> str:
        return f"{self.namespace}_{family.name}"

    def _count_open(self) -> None:
        now = self._clock()
        for key in [key for key, expires in self._open.items() if expires <= now]:
            del self._open[key]
        self._known.of(families.PIPELINES_ACTIVE).cell().value = float(len(self._open))


def _note(
    series: Outcomes, seconds: float | None, failed: bool, trace_id: str | None = None
) -> None:
    """One outcome, and how long it took where somebody measured."""
    (series.bad if failed else series.good).value += 1
    observed = clean.observed(seconds)
    if observed is not None:
        series.duration.observe(observed, clean.trace_id(trace_id))


def _use(
    series: Model, input: float, output: float, cached: float, cost: float | None, number: int = 1
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
