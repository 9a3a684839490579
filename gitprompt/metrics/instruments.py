# SPDX-License-Identifier: Apache-2.0
"""Wraps what an application does, and records how it went: `with tool_call("search"): …`.

Each works in `with` and `async with`, and as a decorator around a function, async or not, and one
that yields, which is measured from its first step to its last. An exception that leaves the block
is recorded as an error and goes on; a cancelled task is one too.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import aclosing
from functools import wraps
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar

from gitprompt.metrics.recorder import Metrics, Status

Function = TypeVar("Function", bound=Callable[..., Any])


class Instrument(ABC):
    """What the five have in common. One instance measures one block after the other; a decorator
    makes one for each call. `trace_id` may be set inside, for the exemplar."""

    __slots__ = ("_begin", "_metrics", "trace_id")

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._begin = 0.0

    @abstractmethod
    def _again(self) -> Self:
        """The same, for another call."""

    @abstractmethod
    def _record(self, seconds: float, failed: bool) -> None:
        """Record how the block went."""

    def __enter__(self) -> Self:
        self.trace_id: str | None = None
        self._begin = perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        failed = kind is not None and kind is not GeneratorExit  # who reads a stream may stop
        self._record(perf_counter() - self._begin, failed)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Function) -> Function:
        kind = next(wrap for suits, wrap in _DECORATORS if suits(function))
        return wraps(function)(kind(self._again, function))  # type: ignore[return-value]


_Again = Callable[[], Instrument]


def _async_generator(again: _Again, function: Callable[..., Any]) -> Callable[..., Any]:
    async def stream(*args: Any, **options: Any) -> AsyncIterator[Any]:
        with again():
            async with aclosing(function(*args, **options)) as items:
                async for item in items:
                    yield item

    return stream


def _generator(again: _Again, function: Callable[..., Any]) -> Callable[..., Any]:
    def stream(*args: Any, **options: Any) -> Generator[Any, Any, Any]:
        with again():
            return (yield from function(*args, **options))

    return stream


def _coroutine(again: _Again, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **options: Any) -> Any:
        with again():
            return await function(*args, **options)

    return call


def _function(again: _Again, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        with again():
            return function(*args, **options)

    return call


_DECORATORS: Sequence[tuple[Callable[[Any], bool], Any]] = (
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.isgeneratorfunction, _generator),
    (inspect.iscoroutinefunction, _coroutine),
    (callable, _function),
)


class ProviderCall(Instrument):
    """A call of a model: say inside what it used."""

    __slots__ = ("_cached", "_cost", "_input", "_model", "_output", "_provider")

    def __init__(self, metrics: Metrics, provider: str, model: str) -> None:
        super().__init__(metrics)
        self._provider, self._model = provider, model

    def __enter__(self) -> Self:
        self._input = self._output = self._cached = 0
        self._cost: float | None = None
        return super().__enter__()

    def tokens(self, *, input: int = 0, output: int = 0, cached: int = 0) -> None:
        """Tokens by type; if reported again, the last is right. The three are disjoint: `input` does not
        count what was cached."""
        self._input, self._output, self._cached = input, output, cached

    def cost(self, usd: float) -> None:
        """What the call cost; without it the price table says."""
        self._cost = usd

    def _again(self) -> Self:
        return type(self)(self._metrics, self._provider, self._model)

    def _record(self, seconds: float, failed: bool) -> None:
        self._metrics.record_provider_call(
            self._provider,
            self._model,
            failed=failed,
            seconds=seconds,
            input=self._input,
            output=self._output,
            cached=self._cached,
            cost=self._cost,
            trace_id=self.trace_id,
        )


class Stage(Instrument):
    """One element goes through a stage."""

    __slots__ = ("_stage", "_type")

    def __init__(self, metrics: Metrics, stage: str, stage_type: str = "other") -> None:
        super().__init__(metrics)
        self._stage, self._type = stage, stage_type

    def _again(self) -> Self:
        return type(self)(self._metrics, self._stage, self._type)

    def _record(self, seconds: float, failed: bool) -> None:
        self._metrics.record_stage(self._stage, self._type, seconds, failed=failed)


class ToolCall(Instrument):
    __slots__ = ("_tool",)

    def __init__(self, metrics: Metrics, tool: str) -> None:
        super().__init__(metrics)
        self._tool = tool

    def _again(self) -> Self:
        return type(self)(self._metrics, self._tool)

    def _record(self, seconds: float, failed: bool) -> None:
        status: Status = "error" if failed else "success"
        self._metrics.record_tool_call(self._tool, status, seconds, trace_id=self.trace_id)


class Validator(Instrument):
    """A validation: it passed, unless the block says `fail()` or raises."""

    __slots__ = ("_failed", "_type", "_validator")

    def __init__(self, metrics: Metrics, validator: str, validator_type: str = "other") -> None:
        super().__init__(metrics)
        self._validator, self._type = validator, validator_type

    def __enter__(self) -> Self:
        self._failed = False
        return super().__enter__()

    def fail(self) -> None:
        self._failed = True

    def _again(self) -> Self:
        return type(self)(self._metrics, self._validator, self._type)

    def _record(self, seconds: float, failed: bool) -> None:
        failed = failed or self._failed
        self._metrics.record_validation(
            self._validator, self._type, "failed" if failed else "passed", seconds
        )


class Pipeline(Instrument):
    """A pipeline: it counts as active while the block runs."""

    __slots__ = ("_key", "run_id")

    def __init__(self, metrics: Metrics, run_id: str | None = None) -> None:
        super().__init__(metrics)
        self.run_id = run_id
        self._key: str | None = None

    def __enter__(self) -> Self:
        self._key = self._metrics.record_pipeline_start(self.run_id)
        return super().__enter__()

    def _again(self) -> Self:
        return type(self)(self._metrics, self.run_id)

    def _record(self, seconds: float, failed: bool) -> None:
        status: Status = "error" if failed else "success"
        self._metrics.record_pipeline_end(status, seconds, self._key, trace_id=self.trace_id)
