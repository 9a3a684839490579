# SPDX-License-Identifier: Apache-2.0
"""A repository and telemetry of somebody who means harm: nothing runs, nothing is asked of anybody else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visit
from tests.server.client import Client
from tests.world import Server

EVIL = (
    "</script><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>"
    "<svg onload=alert(3)><a href=javascript:alert(4)>x</a>\"'--><style>*{background:url(//evil.example)}</style>"
    "{{constructor}} [link](javascript:alert(5)) ![i](https://evil.example/i.png) \u202e\u200b\U000e0041"
)
TRACE = str(uuid.UUID(int=666))


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("evil") / "data", "--ui-changes", "all").start()
    client = Client(server)
    text = EVIL.replace("{{constructor}}", "")
    for version in ("1.0.0", "1.1.0"):
        client.post("/v1/prompts", {
            "name": "evil", "version": version, "description": text, "tags": [text[:60]], "deprecated": text,
            "messages": [{"role": "user", "content": f"{text} {version} {{{{v}}}}"},
                         {"role": "assistant", "content": [{"type": "text", "text": text}]}],
            "variables": {"v": {"type": "string", "default": text, "description": text}},
            "model_config": {"model": text}, "metadata": {text[:20]: text},
        })  # fmt: skip
    client.post("/v1/prompts/evil/labels", {"name": "production", "version_tag": "1.0.0"})
    client.call(
        "PUT", "/v1/prompts/evil/labels/production", {"version_tag": "1.1.0", "reason": text}
    )
    client.post(
        "/v1/evaluations",
        {"name": "evil", "prompt_name": "evil", "description": text, "criteria": {text[:20]: text}},
    )
    client.post("/v1/traces", [{
        "trace_id": TRACE, "name": EVIL[:200], "prompt_name": EVIL[:100], "version_tag": EVIL[:100], "session_id": EVIL[:100],
        "user_id": EVIL[:100], "environment": EVIL[:60], "release": EVIL[:60], "tags": [EVIL[:60]], "input": EVIL,
        "output": {EVIL[:20]: EVIL}, "metadata": {EVIL[:30]: EVIL}, "spans": [
            {"span_id": EVIL[:100], "name": EVIL[:100], "status": "error", "start_time": 0, "end_time": 9,
             "metadata": {"kind": "llm", "model": EVIL, "input": [{"role": "user", "content": EVIL}], EVIL[:30]: EVIL}},
            {"span_id": "b", "parent_id": EVIL[:100], "name": "__proto__", "metadata": {"__proto__": "x", "constructor": EVIL}}],
    }])  # fmt: skip
    client.post("/v1/runs", {"run_id": EVIL[:100], "workflow_name": EVIL[:100], "status": "failed", "trace_id": TRACE,
                             "input": {EVIL[:20]: EVIL}, "metadata": {"x": EVIL}})  # fmt: skip
    client.post(
        "/v1/scores",
        {
            "name": EVIL[:100],
            "value": EVIL,
            "trace_id": TRACE,
            "comment": EVIL,
            "source": EVIL[:60],
        },
    )
    client.post("/v1/logs", {"prompt_name": EVIL[:100], "version_tag": EVIL[:60], "model": EVIL[:100], "status": "error",
                             "error_code": EVIL[:100], "trace_id": TRACE, "span_id": EVIL[:100]})  # fmt: skip
    yield server
    server.stop()


PATHS = [
    "prompts", "prompts/evil", "prompts/evil/versions/1.1.0", "prompts/evil/diff", "prompts/evil/labels/production",
    "render?prompt=evil", "publish?prompt=evil", "traces", f"traces/{TRACE}", "logs", "runs", "suites", "suites/evil",
    "status", "audit", "keys",
]  # fmt: skip


@pytest.mark.parametrize("scripts", [True, False])
def test_nothing_of_theirs_runs(visit: Visit, evil: Server, scripts: bool) -> None:
    page = visit("prompts", server=evil, java_script_enabled=scripts)
    for path in PATHS:
        page.goto(f"/ui/w/default/{path}")
        page.wait_for_load_state("networkidle")
    page.goto("/ui/w/default/runs")
    page.click("tbody th a")
    expect(page.locator("main")).to_contain_text("[U+200B]")
    page.goto(f"/ui/w/default/traces/{TRACE}")
    if scripts:
        page.wait_for_selector("#rows .row")
        page.click("#rows .row >> nth=0")
        expect(page.locator("#panel")).to_contain_text("[U+E0041]")
    page.goto(
        "/ui/w/default/prompts?q="
        + httpx.QueryParams({"x": EVIL})["x"].replace("&", "%26").replace("#", "%23")
    )
    page.goto("/ui/w/default/render?prompt=evil")
    page.click("button >> text=Render >> nth=-1")
    page.wait_for_load_state("networkidle")


def test_no_other_page_may_have_ours_in_a_frame(
    chromium: Browser, shop: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page = chromium.new_page()
    failed: list[str] = []
    page.on("console", lambda message: failed.append(message.text))
    page.set_content(f'<iframe src="{shop.url}/ui/login"></iframe>')
    page.wait_for_timeout(500)
    assert any("frame" in text.lower() for text in failed), failed
    page.close()


def test_a_form_of_another_site_changes_nothing(
    chromium: Browser, shop: Server, visit: Visit
) -> None:
    page = visit("prompts")
    before = Client(shop).get("/v1/prompts/welcome/labels/production")["version_tag"]
    other = page.context.new_page()
    other.set_content(
        f'<form method="post" action="{shop.url}/ui/w/default/prompts/welcome/labels/production">'
        '<input name="action" value="move"><input name="to" value="1.0.0"><input name="expected" value="1.2.0">'
        '<input name="reason" value="forged"><button>go</button></form>'
    )
    with other.expect_response("**/labels/production") as answer:
        other.click("button")
    assert answer.value.status == 403
    assert Client(shop).get("/v1/prompts/welcome/labels/production")["version_tag"] == before
    other.close()
