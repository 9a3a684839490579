# SPDX-License-Identifier: Apache-2.0
"""The live API of another system, really listening: pages, a bounded rate, and everything that goes wrong there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from gitprompt.errors import SetupError
from gitprompt.transfer.importing.live import LiveSource, SourceFailed
from tests.transfer.fake_langfuse import KEY, Answer, FakeLangfuse
from tests.transfer.moving_in import House, trace


@pytest.fixture
def there() -> Iterator[FakeLangfuse]:
    found = FakeLangfuse()
    yield found
    found.close()


def live(there: FakeLangfuse, *more: str) -> tuple[str, ...]:
    return "--url", there.url, "--rate", "0", *more


def test_all_of_it_comes_page_by_page_and_only_once(house: House, there: FakeLangfuse) -> None:
    env = {"GITPROMPT_SOURCE_KEY": KEY}
    report = house.migrate(options=live(there), env=env)
    assert {kind: number["new"] for kind, number in report["counts"].items()} == {
        "traces": 120, "scores": 7, "prompt versions": 5, "labels": 4,
    }  # fmt: skip
    again = house.migrate(options=live(there), env=env)
    assert not any(number["new"] for number in again["counts"].values())
    assert any("resolve=false" in path for path in there.asked)


def test_a_run_that_was_cut_goes_on_where_it_was(house: House, there: FakeLangfuse) -> None:
    cut = f"/api/public/traces/{110:032x}"
    there.odd = lambda path, _times: (404, {}, b"{}") if path == cut else None
    report = house.migrate(options=live(there, "--key", KEY), code=1)
    assert "it answers 404" in report["broken"]
    assert house.client.get("/v1/traces/count")["count"] == 100
    there.odd = lambda _path, _times: None
    there.asked.clear()
    report = house.migrate(options=live(there, "--key", KEY))
    assert report["server"]["traces"] == 120
    assert sum("/api/public/traces/" in path for path in there.asked) == 20
    there.asked.clear()
    there.traces.append(trace(500))
    assert house.migrate(options=live(there, "--key", KEY))["counts"]["traces"] == {
        "new": 1,
        "there": 120,
    }


def test_a_dry_run_leaves_no_trace_of_where_it_was(house: House, there: FakeLangfuse) -> None:
    dry = house.migrate(options=live(there, "--key", KEY, "--dry-run"))
    report = house.migrate(options=live(there, "--key", KEY))
    assert report["losses"] == dry["losses"]
    assert report["counts"]["traces"]["new"] == 120


def asked(there: FakeLangfuse, **options: Any) -> tuple[LiveSource, list[float], list[str]]:
    slept: list[float] = []
    told: list[str] = []
    source = LiveSource(
        there.url,
        {},
        ("pk-lf-1", "sk-lf-2"),
        rate=options.pop("rate", 0),
        tell=told.append,
        sleep=slept.append,
        **options,
    )
    return source, slept, told


def test_who_is_busy_is_asked_again_after_the_time_it_says(there: FakeLangfuse) -> None:
    there.odd = lambda _path, times: (
        (429, {"Retry-After": "7"}, b"") if times == 1 else (503, {}, b"") if times == 2 else None
    )
    source, slept, told = asked(there)
    assert len(source.get("/api/public/traces", page=1, limit=50)["data"]) == 50
    assert slept == [7.0, 2.0]
    assert "429" in told[0]
    source.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, {}, b"x"), "it answers 500, 6 times"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), "is no JSON but text/html"),
        ((302, {"Location": "http://127.0.0.1:1/evil"}, b""), "is not followed"),
        ((403, {}, b"{}"), "the key is not good there"),
        ((404, {}, b"{}"), "it answers 404"),
    ],
)
def test_what_cannot_be_helped_is_said_without_the_key(
    there: FakeLangfuse, answer: Answer, said: str
) -> None:
    there.odd = lambda _path, _times: answer
    source, slept, _ = asked(there)
    with pytest.raises(SourceFailed) as caught:
        source.get("/api/public/traces", page=1)
    assert said in caught.value.message
    assert "sk-lf" not in f"{caught.value.message} {caught.value.hint}"
    assert len(slept) == (5 if answer[0] == 500 else 0)
    source.close()


def test_a_server_that_hangs_is_left(there: FakeLangfuse) -> None:
    def hang(_path: str, _times: int) -> None:
        time.sleep(0.6)

    there.odd = hang
    source, slept, _ = asked(there, timeout=0.1)
    with pytest.raises(SourceFailed, match="does not answer in time, 6 times"):
        source.get("/api/public/traces", page=1)
    assert slept == [1, 2, 4, 8, 16]
    source.close()


def test_the_rate_is_kept(there: FakeLangfuse) -> None:
    source, slept, _ = asked(there, rate=5)
    for _ in range(3):
        source.get("/api/public/traces", page=1, limit=50)
    assert len(slept) == 2
    assert all(0.1 < seconds <= 0.2 for seconds in slept)
    source.close()


@pytest.mark.parametrize("url", ["ftp://x", "cloud.langfuse.com", "http://", "https://a:b@x"])
def test_only_addresses_of_servers_are_asked(url: str) -> None:
    with pytest.raises(SetupError, match="--url is no address"):
        LiveSource(url, {}, None, rate=1, tell=print)
