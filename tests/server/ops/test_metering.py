# SPDX-License-Identifier: Apache-2.0
"""The sidecar's metrics: made from settings, and brought up to date when they are scraped."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt import __version__
from gitprompt.config import ServerSettings
from gitprompt.errors import SetupError, UsageError
from gitprompt.metrics import families
from gitprompt.server.app import Sidecar, sidecar
from gitprompt.server.ops.metering import Gauges, make_metrics, metrics_address, wants_token
from tests.metrics.recorded import told
from tests.scraping import Samples
from tests.world import Clone


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Sidecar]:
    settings = ServerSettings(data=str(tmp_path / "data"))
    with sidecar(settings, clock=lambda: 1_700_000_000) as running:
        yield running


def refreshed(gauges: Gauges, application: Sidecar) -> Samples:
    gauges.refresh()
    return told(application.context.metrics)


def test_new_metrics_say_what_runs_and_have_the_drivers_syncs_at_0() -> None:
    samples = told(make_metrics(ServerSettings(driver="filesystem"), "filesystem"))
    assert samples("build_info", version=__version__) == 1
    results = samples.labels("sync_runs_total", "result")
    assert results == {"success", "error"}
    assert samples.total("sync_runs_total", driver="filesystem") == 0


def test_settings_choose_namespace_buckets_and_caps() -> None:
    metrics = make_metrics(
        ServerSettings(
            metrics_namespace="llm",
            metrics_buckets=" eval_score = 0.5,1 ; tool_call_duration_seconds=2;",
            metrics_caps="tool=1; ;suite=5",
        ),
        "filesystem",
    )
    metrics.record_tool_call("a", "success", 1.5)
    metrics.record_tool_call("b", "success", 1.5)
    samples = told(metrics)
    assert samples.labels("tool_calls_total", "tool") == {"a", "other"}
    assert samples.labels("tool_call_duration_seconds_bucket", "le") == {"2.0", "+Inf"}
    assert metrics.namespace == "llm"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (ServerSettings(metrics_buckets="eval_score=1,x"), "--metrics-buckets: 'eval_score=1,x'"),
        (ServerSettings(metrics_caps="tool=1.5"), "--metrics-caps: 'tool=1.5'"),
        (ServerSettings(metrics_caps="tool"), "not of the form name=value"),
        (ServerSettings(metrics_buckets="eval_score=1;eval_score=1"), "eval_score appears twice"),
        (ServerSettings(metrics_caps="tool=1;tool=1"), "tool appears twice"),
        (ServerSettings(metrics_caps="planet=1"), "metrics: 'planet' is no capped label"),
        (ServerSettings(metrics_namespace="a b"), "metrics: 'a b' cannot be a namespace"),
    ],
)
def test_a_wrong_setting_is_named_with_its_option(settings: ServerSettings, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_metrics(settings, "filesystem")
    assert says in caught.value.message


def test_a_price_table_that_is_not_there_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be read"):
        make_metrics(ServerSettings(prices=str(tmp_path / "prices.yaml")), "filesystem")


@pytest.mark.parametrize(
    ("address", "place"),
    [("", ("127.0.0.1", 3000)), (":9090", ("0.0.0.0", 9090)), ("[::1]:9090", ("::1", 9090))],
)
def test_metrics_are_beside_everything_else_or_where_the_setting_says(
    address: str, place: tuple[str, int]
) -> None:
    assert metrics_address(ServerSettings(metrics_addr=address)) == place


def test_an_address_that_is_none_is_named_with_its_option() -> None:
    with pytest.raises(UsageError, match="--metrics-addr: 'here' is no address"):
        metrics_address(ServerSettings(metrics_addr="here"))


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (ServerSettings(), False),
        (ServerSettings(host="localhost"), False),
        (ServerSettings(host="::1"), False),
        (ServerSettings(host="127.8.8.8"), False),
        (ServerSettings(host="0.0.0.0"), True),
        (ServerSettings(host="metrics.example.com"), True),
        (ServerSettings(host="0.0.0.0", metrics_addr="127.0.0.1:9090"), False),
        (ServerSettings(metrics_addr=":9090"), True),
        (ServerSettings(metrics_token="t"), True),
        (ServerSettings(metrics_token="t", metrics_auth="none"), False),
        (ServerSettings(metrics_auth="token"), True),
        (ServerSettings(host="0.0.0.0", metrics_auth="none"), False),
        (ServerSettings(trusted_proxies="127.0.0.1"), True),
        (ServerSettings(root_path="/gitprompt"), True),
        (ServerSettings(root_path="/gitprompt", metrics_addr="127.0.0.1:9090"), False),
    ],
)
def test_a_scrape_needs_a_token_anywhere_but_on_loopback_or_as_the_setting_says(
    settings: ServerSettings, wanted: bool
) -> None:
    assert wants_token(settings) is wanted


@pytest.mark.parametrize(("token", "warned"), [("", True), ("s3cret-token", False)])
def test_a_token_that_is_wanted_and_not_set_is_told(
    token: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        make_metrics(ServerSettings(metrics_auth="token", metrics_token=token), "filesystem")
    assert ("GITPROMPT_METRICS_TOKEN is not set" in caplog.text) == warned
    assert "s3cret" not in caplog.text


def test_what_is_served_is_told_with_the_next_scrape(
    application: Sidecar, published: Clone, tmp_path: Path
) -> None:
    gauges = Gauges(application.context)
    assert refreshed(gauges, application)("index_versions") == 0
    published.git("update-ref", "refs/labels/welcome@live", "prompts/welcome/1.0.0^{}")
    published.commit("Broken", broken="messages: 3\n")
    published.tag("broken", "1.0.0")
    hosted = tmp_path / "data" / "repos" / "default.git"
    refspecs = ("main", "refs/tags/*:refs/tags/*", "refs/labels/*:refs/labels/*")
    Clone(hosted).git("fetch", "-q", str(published.path), *(f"+{spec}" for spec in refspecs))
    source = application.context.workspaces.source("default")
    assert source is not None
    application.context.workspaces.reconcile_now(source)
    samples = refreshed(gauges, application)
    assert (samples("index_versions"), samples("rejected_refs")) == (1, 1)
    where = {"workspace": "default", "prompt": "welcome", "label": "live", "version": "1.0.0"}
    assert samples("label_version_info", **where) == 1


def test_the_workspace_that_is_worst_off_counts(application: Sidecar, tmp_path: Path) -> None:
    gauges = Gauges(application.context)
    name = "index_last_success_timestamp_seconds"
    assert refreshed(gauges, application)(name) == 1_700_000_000
    (tmp_path / "data" / "repos" / "new.git").mkdir()
    application.context.workspaces.load()  # opened, or unusable, and in neither case ever in sync
    assert refreshed(gauges, application)(name) == 0


def test_a_database_is_as_large_as_its_files(application: Sidecar, tmp_path: Path) -> None:
    samples = refreshed(Gauges(application.context), application)
    paths = [tmp_path / "data" / name for name in ("index.db", "index.db-wal")]
    assert samples("db_size_bytes", db="index") == sum(os.stat(path).st_size for path in paths)


def test_the_index_is_read_again_only_when_it_has_changed(application: Sidecar) -> None:
    gauges, metrics = Gauges(application.context), application.context.metrics
    gauges.refresh()
    metrics.set_gauge(families.INDEX_VERSIONS, 7)
    assert refreshed(gauges, application)("index_versions") == 7
    application.context.workspaces.generation += 1
    assert refreshed(gauges, application)("index_versions") == 0


def test_an_index_that_cannot_be_read_leaves_the_last_numbers(
    application: Sidecar, caplog: pytest.LogCaptureFixture
) -> None:
    application.context.metrics.set_gauge(families.INDEX_VERSIONS, 7)
    application.context.index.close()
    with caplog.at_level(logging.ERROR):
        samples = refreshed(Gauges(application.context), application)
    assert samples("index_versions") == 7
    assert samples("db_size_bytes", db="telemetry") > 0
    assert "the index cannot be read for its metrics" in caplog.text
