# SPDX-License-Identifier: Apache-2.0
"""Traces: found by how they went, drawn from an outline, their spans shown as what they are."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest

from tests.server.client import Client, publish
from tests.server.ui.browsing import Browser
from tests.world import Server

ID = {name: str(uuid.uuid4()) for name in ("quick", "slow", "bad", "empty")}
HOSTILE = "<script>alert(1)</script>\u202e"


def span(span_id: str, parent: str | None, start: int, end: int, **fields: Any) -> dict[str, Any]:
    made = {
        "span_id": span_id,
        "name": f"span {span_id}",
        "status": "ok",
        "start_time": start,
        "end_time": end,
    }
    return {**made, **({"parent_id": parent} if parent else {}), **fields}


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server, **{"X-Workspace-Id": "traced"})


@pytest.fixture(scope="module")
def browser(server: Server, client: Client) -> Browser:
    publish(client, "welcome")
    call = {"kind": "llm", "model": "gpt-4o", "tokens_in": 900, "tokens_out": 200, "cost_usd": 0.25,
            "variables": {"name": "Ada"}, "input": [{"role": "user", "content": f"Hi {HOSTILE}"}]}  # fmt: skip
    traces = [
        {"trace_id": ID["quick"], "name": "chat", "prompt_name": "welcome", "version_tag": "1.0.0",
         "timestamp": 1_000, "spans": [span("1", None, 10, 50), span("2", "1", 20, 40, metadata=call)]},
        {"trace_id": ID["slow"], "name": f"chat {HOSTILE}", "prompt_name": "welcome", "version_tag": "0.9.0",
         "timestamp": 2_000, "session_id": "s/1?", "input": {"q": HOSTILE}, "spans": [span("1", None, 0, 5_000)]},
        {"trace_id": ID["bad"], "timestamp": 3_000, "tags": ["beta"],
         "spans": [span("1", None, 0, 900, status="error"),
                   span("2", "1", 5, 9, metadata={"kind": "tool", "tool": "search"}), span("3", "nobody", 7, 8)]},
        {"trace_id": ID["empty"], "name": "empty", "timestamp": 4_000},
    ]  # fmt: skip
    client.post("/v1/traces", traces)
    client.post("/v1/runs", {"workflow_name": "nightly", "status": "failed", "trace_id": ID["bad"]})
    client.post(
        "/v1/scores", {"name": "liked", "value": True, "trace_id": ID["bad"], "comment": "so so"}
    )
    client.post("/v1/logs", {"prompt_name": "welcome", "version_tag": "1.0.0", "trace_id": ID["quick"],
                             "span_id": "2", "model": "gpt-4o", "latency_ms": 20})  # fmt: skip
    return Browser(server, workspace="traced")


def listed(browser: Browser, **params: Any) -> list[str]:
    """The traces of a list, in its order."""
    text = browser.get("traces", **params).text
    names = {value: key for key, value in ID.items()}
    return [
        names[one]
        for one in re.findall(r'<th scope="row"><a href="/ui/w/traced/traces/([^?"]+)', text)
    ]


def test_traces_are_found_by_version_status_and_duration(browser: Browser) -> None:
    assert listed(browser) == ["empty", "bad", "slow", "quick"]
    assert listed(browser, status="error") == ["bad"]
    assert listed(browser, status="ok") == ["empty", "slow", "quick"]
    assert listed(browser, min_ms="900") == ["bad", "slow"]
    assert listed(browser, sort="duration") == ["slow", "bad", "quick", "empty"]
    assert listed(browser, sort="cost")[0] == "quick"
    assert listed(browser, prompt_name="welcome", version_tag="1.0.0") == ["quick"]
    assert listed(browser, session="s/1?") == ["slow"]
    assert listed(browser, tag="beta", status="error") == ["bad"]
    assert listed(browser, window="1h") == []
    page = browser.page("traces")
    assert "✕ 1 error 900 ms 3" in page
    assert "✓ ok 40 ms 2 1,100 $0.25" in page


def test_a_filter_that_is_none_is_said(browser: Browser) -> None:
    for params in ({"status": "odd"}, {"min_ms": "-1"}, {"min_ms": "many"}, {"sort": "size"}):
        answer = browser.get("traces", **params)
        assert answer.status_code == 422
        assert "must be" in answer.text


def test_a_trace_links_to_all_that_belongs_to_it(browser: Browser) -> None:
    page = browser.get(f"traces/{ID['quick']}").text
    assert "/ui/w/traced/prompts/welcome/versions/1.0.0" in page
    assert "Logs of its calls" in page
    bad = browser.page(f"traces/{ID['bad']}")
    for part in ("nightly", "liked", "so so", "✕ 1 error", "900 ms"):
        assert part in bad
    slow = browser.get(f"traces/{ID['slow']}").text
    assert "<script>alert" not in slow
    assert "&lt;script&gt;alert(1)&lt;/script&gt;[U+202E]" in slow
    assert "/ui/w/traced/traces?session=s%2F1%3F" in slow
    assert "versions/0.9.0" not in slow  # nobody has published that
    assert "No spans yet." in browser.page(f"traces/{ID['empty']}")
    assert browser.get(f"traces/{uuid.uuid4()}").status_code == 404
    assert browser.get(f"traces/{ID['quick'].replace('-', '').upper()}").status_code == 200


def test_the_one_before_and_the_next_keep_the_filter(browser: Browser) -> None:
    text = browser.get("traces", status="ok").text
    links = re.findall(r'<th scope="row"><a href="([^"]+)"', text)
    middle = links[1].replace("&amp;", "&")
    page = browser.http.get(middle).text
    found = re.findall(r'rel="(prev|next)" href="([^"?]+)\?([^"]+)"', page)
    assert [(rel, href.rpartition("/")[2]) for rel, href, _ in found] == [
        ("prev", ID["empty"]),
        ("next", ID["quick"]),
    ]
    assert all("status=ok" in query for *_, query in found)
    # In another list it is elsewhere, or not there.
    assert 'rel="next"' not in browser.get(f"traces/{ID['bad']}", at=0, status="ok").text


def test_an_outline_has_six_integers_a_span(browser: Browser) -> None:
    outline = browser.get(f"traces/{ID['quick']}/outline").json()
    assert outline["names"] == ["span 1", "span 2 · gpt-4o"]
    rows = [outline["spans"][at : at + 6] for at in range(0, 12, 6)]
    assert [row[:5] for row in rows] == [[-1, 0, 40, 0, 3], [0, 10, 20, 1, 0]]
    bad = browser.get(f"traces/{ID['bad']}/outline").json()["spans"]
    assert [bad[at] for at in (0, 6, 12)] == [-1, 0, -1]  # a parent that is not there is none
    assert bad[4] == 8 + 3
    assert bad[10] == 1


def test_a_span_is_shown_with_its_messages(browser: Browser) -> None:
    outline = browser.get(f"traces/{ID['quick']}/outline").json()
    number = outline["first"] + outline["spans"][11]
    answer = browser.get(f"traces/{ID['quick']}/spans/{number}")
    found = answer.json()
    assert found["name"] == "span 2"
    assert ["tokens", "900 in, 200 out"] in found["facts"]
    assert found["prompt"] == {"text": "welcome 1.0.0", "to": "/ui/w/traced/prompts/welcome"}
    (messages,) = [block for block in found["blocks"] if block["kind"] == "messages"]
    assert messages["entries"] == [["user", "Hi <script>alert(1)</script>[U+202E]", 0]]
    assert "render?prompt=welcome&version=1.0.0" in found["render"]
    page = browser.get(f"traces/{ID['quick']}", span="2").text  # the same without scripts
    assert "Hi &lt;script&gt;alert(1)&lt;/script&gt;[U+202E]" in page
    assert "Render with these values" in page
    for wrong in ("0", "x", "-1", "9" * 30):
        assert browser.get(f"traces/{ID['quick']}/spans/{wrong}").status_code == 404
    raw = browser.http.get(found["raw"])
    assert raw.headers["content-disposition"] == 'attachment; filename="span.json"'
    assert json.loads(raw.text)["metadata"]["model"] == "gpt-4o"
    assert browser.get(f"traces/{ID['quick']}/raw", span="none").status_code == 404


def test_a_list_is_a_file_too(browser: Browser) -> None:
    answer = browser.get("traces", format="csv", status="error")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    head, row = answer.text.splitlines()
    assert head.startswith("trace_id,created_at,name,prompt_name")
    assert row.startswith(f"{ID['bad']},1970-01-01T00:50:00Z,")


def test_the_api_finds_the_same(client: Client) -> None:
    found = client.get("/v1/traces", status="error")["items"]
    assert [one["trace_id"] for one in found] == [ID["bad"]]
    assert found[0]["totals"] == {
        "spans": 3,
        "errors": 1,
        "duration_ms": 900,
        "tokens": 0,
        "cost_usd": 0.0,
    }
    slowest = client.get("/v1/traces", sort="duration", limit=1, cursor="")
    assert slowest["items"][0]["trace_id"] == ID["slow"]
    after = client.get("/v1/traces", sort="duration", limit=1, cursor=slowest["nextCursor"])
    assert after["items"][0]["trace_id"] == ID["bad"]
    assert client.get(f"/v1/traces/{ID['quick']}")["totals"]["cost_usd"] == 0.25
    for params in ({"sort": "size"}, {"status": "odd"}, {"min_ms": "x"}):
        assert client.refused("GET", "/v1/traces", **params)[0] == 422
