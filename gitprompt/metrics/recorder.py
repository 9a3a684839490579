# SPDX-License-Identifier: Apache-2.0
"""`Metrics`: what is recorded, by whom ever: ingest, an event bus, an instrument, or a direct call.

Whatever is recorded is cleaned and capped here, and nothing that is recorded raises: a metric must
never break what it measures.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakSet

from prometheus_client import Metric

from gitprompt.core.telemetry.numbers import MAX_COST, MAX_COUNT
from gitprompt.core.telemetry.prices import PriceTable
from gitprompt.metrics import clean
from gitprompt.metrics.caps import check_buckets
from gitprompt.metrics.families import APPLICATION, PIPELINE_DURATION, PIPELINES_ACTIVE, Family
from gitprompt.metrics.known import KnownSeries, Model, Outcomes

Status = Literal["success", "error"]  # anything else counts as an error
NAMESPACE = "gitprompt"
RUN_EXPIRY = 3_600.0  # seconds after which a run that never ended is not running any more
_MAX_OPEN = 100_000  # runs
_PART = 4  # series of a histogram to one part of an exposition: most of a millisecond
_NAMESPACE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")


@dataclass(slots=True)
class Calls:
    """Calls of a model that went alike: all failed or none, all with a cost (USD) or none. Tokens are
    disjoint sums; `seconds` has the durations that are known, each with its trace. `number` 0: what
    is more of calls that are counted already."""

    failed: bool
    number: int = 0
    input: float = 0
    output: float = 0
    cached: float = 0
    cost: float | None = None
    seconds: list[tuple[float, str | None]] = field(default_factory=list)


_RECORDERS: WeakSet[Metrics] = WeakSet()


class Metrics:
    """All series of a process: a collector for any `CollectorRegistry`.

    `buckets` (by metric name without namespace) and `caps` (by label) take the place of the usual
    ones; `families` are those that are shown. Raises ValueError for a bad namespace, bucket or cap.
    Safe for threads.
    """

    def __init__(
        self,
        *,
        namespace: str = NAMESPACE,
        buckets: Mapping[str, Sequence[float]] | None = None,
        caps: Mapping[str, int] | None = None,
        prices: PriceTable | None = None,
        run_expiry: float = RUN_EXPIRY,
        families: Sequence[Family] = APPLICATION,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _NAMESPACE.match(namespace):
            raise ValueError(
                f"'{namespace}' cannot be a namespace: letters, digits and _, no digit first"
            )
        if prices is not None and not isinstance(prices, PriceTable):
            raise TypeError("prices are a PriceTable: gitprompt.prices.load(path)")
        self.namespace = namespace
        self._prices = prices
        self.run_expiry = run_expiry
        self._clock = clock
        self._lock = threading.Lock()
        _RECORDERS.add(self)
        self._families = families
        self._known = KnownSeries(check_buckets(buckets or {}), caps or {})
        self._open: dict[str, float] = {}  # run → when it expires, oldest first
        self._anonymous = itertools.count(1)

    def replace_pipelines(self, ages: Mapping[str, float]) -> None:
        """What is running is known elsewhere, since others start and end runs too: run → seconds since then."""
        now = self._clock()
        with self._lock:
            self._open = {run: now + self.run_expiry - age for run, age in ages.items()}

    def record_pipeline_start(self, run_id: str | None = None, *, age: float = 0.0) -> str:
        """A pipeline runs, since `age` seconds; returns its id, made where none is given."""
        key = str(run_id) if run_id is not None else f"\0{next(self._anonymous)}"
        with self._lock:
            self._open.setdefault(key, self._clock() + self.run_expiry - age)
            if len(self._open) > _MAX_OPEN:
                del self._open[next(iter(self._open))]
        return key

    def record_pipeline_end(
        self,
        status: Status,
        seconds: float | None,
        run_id: str | None = None,
        *,
        trace_id: str | None = None,
    ) -> None:
        """A pipeline ended. Without an id the oldest that was started without one is meant. Without
        a duration it counts as 0 s: the histogram's count is that of the pipelines that ended."""
        observed = clean.observed(seconds) or 0.0
        outcome = "error" if clean.failed(status) else "success"
        with self._lock:
            self._close(run_id)
            self._known.of(PIPELINE_DURATION).histogram(outcome).observe(
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

    def record_stage_element(self, stage: str, status: Status, number: int = 1) -> None:
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
        """Elements went through a stage: how long each took, None if nobody measured."""
        with self._lock:
            series = self._known.stage(stage, stage_type, number=len(seconds))
            (series.error if failed else series.success).value += len(seconds)
            for duration in seconds:
                observed = clean.observed(duration)
                if observed is not None:
                    series.duration.observe(observed)

    def record_provider_request(
        self,
        provider: str,
        model: str,
        status: Status,
        seconds: float,
        *,
        trace_id: str | None = None,
    ) -> None:
        """A call of a model; what it used is for the next two."""
        failed = clean.failed(status)
        with self._lock:
            _note(self._known.model(provider, model, failed=failed), seconds, failed, trace_id)

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
        calls = Calls(failed, 1, input, output, cached, cost)
        if seconds is not None:
            calls.seconds.append((seconds, trace_id))
        self.record_provider_calls(provider, model, calls)

    def record_provider_calls(self, provider: str | None, model: str | None, calls: Calls) -> None:
        """Calls that went alike, for the price of one."""
        input, output, cached, cost = calls.input, calls.output, calls.cached, calls.cost
        is_unpriced = False
        if cost is None and (input or output or cached or not calls.failed):
            cost = self.price(provider, model, input, output, cached)
            is_unpriced = cost is None
        with self._lock:
            series = self._known.model(provider, model, failed=calls.failed, number=calls.number)
            (series.error if calls.failed else series.success).value += calls.number
            trace_id = last = None
            for seconds, raw in calls.seconds:
                observed = clean.observed(seconds)
                if raw is not last:  # calls of one trace come together
                    trace_id, last = clean.trace_id(raw), raw
                if observed is not None:
                    series.duration.observe(observed, trace_id)
            _use(series, input, output, cached, cost, max(calls.number, 1))
            if is_unpriced:
                series.unpriced.value += calls.number

    @property
    def prices(self) -> PriceTable | None:
        """The table for calls that come without a cost."""
        return self._prices

    def price(
        self, provider: str | None, model: str | None, input: float, output: float, cached: float
    ) -> float | None:
        """What the price table says, in USD; None if it does not have the model."""
        if self._prices is None:
            return None
        try:
            return self._prices.cost(provider, model, input, output, cached)
        except (TypeError, AttributeError, OverflowError):  # invalid names or numbers
            return None

    def record_tool_call(
        self, tool: str, status: Status, seconds: float | None, *, trace_id: str | None = None
    ) -> None:
        with self._lock:
            _note(self._known.tool(tool), seconds, clean.failed(status), trace_id)

    def record_validation(
        self,
        validator: str,
        validator_type: str,
        status: Literal["passed", "failed"],
        seconds: float | None,
    ) -> None:
        """`status` is passed or failed; `seconds` None if nobody measured."""
        with self._lock:
            _note(self._known.validator(validator, validator_type), seconds, clean.failed(status))

    def record_eval(self, suite: str, score: float | None, passed: bool | None) -> None:
        """The result of an evaluation; `passed` None if nothing says what passes."""
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

    def know_model(self, provider: str | None, model: str | None) -> None:
        """Have the series of a model at 0, as if it had been called before; the same below."""
        with self._lock:
            self._known.model(provider, model, failed=False)

    def know_tool(self, tool: str) -> None:
        with self._lock:
            self._known.tool(tool)

    def know_validator(self, validator: str, validator_type: str) -> None:
        with self._lock:
            self._known.validator(validator, validator_type)

    def know_suite(self, suite: str) -> None:
        with self._lock:
            self._known.suite(suite)
            self._known.validator(suite, "eval")

    def know_stage(self, stage: str, stage_type: str) -> None:
        with self._lock:
            self._known.stage(stage, stage_type)

    # the open ones, inside the lock

    def _close(self, run_id: str | None) -> None:
        if run_id is None:
            run_id = next((key for key in self._open if key.startswith("\0")), None)
        if run_id is not None:
            self._open.pop(str(run_id), None)

    # collecting

    def describe(self) -> Iterator[Metric]:
        """The names, for a registry that refuses duplicates."""
        for family in self._families:
            yield next(self._known.of(family).metrics(self._name(family), (), 1))

    def collect(self) -> Iterator[Metric]:
        """Every family, whole."""
        return self.parts(None)

    def parts(self, size: int | None = _PART) -> Iterator[Metric]:
        """Every family, in parts of so many series, so that a scrape holds nobody up."""
        for family in self._families:
            with self._lock:
                if family is PIPELINES_ACTIVE:
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
        self._known.of(PIPELINES_ACTIVE).cell().value = float(len(self._open))


def _note(
    series: Outcomes | Model, seconds: float | None, failed: bool, trace_id: str | None = None
) -> None:
    """One outcome, and how long it took if somebody measured."""
    (series.error if failed else series.success).value += 1
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


def _unlock() -> None:
    """In the child of a fork: who held a lock in the parent is not there."""
    for metrics in list(_RECORDERS):
        metrics._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


METRICS = Metrics()  # of this process, if a program names no other
