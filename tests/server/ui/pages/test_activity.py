# SPDX-License-Identifier: Apache-2.0
"""Logs, runs and the audit log on pages, and as files."""

from __future__ import annotations

import csv
import io
import uuid

import pytest

from tests.server.client import Client, publish
from tests.server.ui.browsing import Browser, words
from tests.world import Server

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser(server: Server) -> Browser:
    client = Client(server, **{"X-Workspace-Id": "active"})
    publish(client, "welcome")
    client.post("/v1/prompts/welcome/labels", {"name": "production", "version_tag": "1.0.0"})
    for model, status in (("gpt-4o", "ok"), ("=HYPERLINK(1)", "error")):
        client.post("/v1/logs", {"prompt_name": "welcome", "version_tag": "1.0.0", "model": model, "status": status,
                                 "latency_ms": 1_240, "tokens_in": 1_000, "tokens_out": 20, "cost_usd": 0.5,
                                 "error_code": HOSTILE if status == "error" else None,
                                 "trace_id": str(uuid.uuid4()), "span_id": "a/b?c"})  # fmt: skip
    client.post("/v1/runs", {"run_id": "night/1", "workflow_name": "nightly", "status": "failed",
                             "start_time": 1_000, "end_time": 3_000, "input": {"q": HOSTILE},
                             "output": {"messages": [{"role": "assistant", "content": "Done"}]}, "metadata": {"try": 2}})  # fmt: skip
    client.post("/v1/runs", {"workflow_name": "daily", "status": "running"})
    return Browser(server, workspace="active")


def test_logs_are_listed_and_narrowed(browser: Browser) -> None:
    page = browser.page("logs")
    assert "gpt-4o" in page
    assert "ok 1,240 ms 1,000, 20 $0.50" in page, page
    assert f"✕ error {HOSTILE}" in page
    assert HOSTILE not in browser.get("logs").text
    assert "span=a%2Fb%3Fc" in browser.get("logs").text
    assert "gpt-4o" not in words(browser.get("logs", status="error"))
    assert "No log meets all of this" in browser.page("logs", model="none")
    assert browser.get("logs", status="odd").status_code == 422


def test_runs_are_listed_and_shown(browser: Browser) -> None:
    page = browser.page("runs")
    assert "✕ failed" in page
    assert "2,000 ms" in page
    assert "daily" not in words(browser.get("runs", status="failed"))
    run = browser.page("runs/night/1")
    for part in ("nightly", "failed", HOSTILE, "Done", "try", "took 2,000 ms"):
        assert part in run
    assert HOSTILE not in browser.get("runs/night/1").text
    assert browser.get("runs/none").status_code == 404


def test_the_audit_log_says_who_did_what(browser: Browser) -> None:
    page = browser.page("audit")
    for action in ("ui:login", "label:create", "create_prompt", "run:create"):
        assert action in page
    narrowed = browser.page("audit", action="label:create")
    assert "production" in narrowed
    assert "run:create" not in narrowed
    odd = browser.page(
        "audit", action="run:create", prompt_name="none", outcome="done", window="24h"
    )
    assert "Nothing of this kind happened." in odd


@pytest.mark.parametrize(
    ("path", "column", "value"),
    [
        ("logs", "model", "'=HYPERLINK(1)"),
        ("runs", "run_id", "night/1"),
        ("audit", "action", "label:create"),
    ],
)
def test_each_list_is_a_file_that_runs_nothing(
    browser: Browser, path: str, column: str, value: str
) -> None:
    answer = browser.get(path, format="csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="{path}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert value in [row[column] for row in rows]
    assert not any(cell[:1] in "=+-@" for row in rows for cell in row.values() if cell)


def test_a_message_of_no_role_is_an_attribute(server: Server, browser: Browser) -> None:
    client = Client(server, **{"X-Workspace-Id": "active"})
    for run_id, role in (("odd", ["x"]), ("odder", {"a": 1}), ("none", None)):
        said = {"messages": [{"role": role, "content": "As it is"}]}
        client.post("/v1/runs", {"run_id": run_id, "workflow_name": "w", "status": "completed", "input": said})  # fmt: skip
        assert "As it is" in browser.page(f"runs/{run_id}")
