# SPDX-License-Identifier: Apache-2.0
"""A real browser at a server that has something to show on every page."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gitprompt.cli.client import Client as CommandClient
from gitprompt.cli.exchange import samples
from gitprompt.clock import now
from tests.server.client import Client, publish
from tests.world import Server, run

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
TRACE = str(uuid.UUID(int=10_000))
FIRST: dict[str, Any] = {
    "name": "welcome",
    "version": "1.0.0",
    "description": "Greets a new customer",
    "messages": [
        {
            "role": "system",
            "content": "You are the assistant of Spade & Sons.\nBe friendly and brief.",
        },
        {"role": "user", "content": "Hello, I am {{name}}."},
    ],
    "variables": {"name": {"type": "string", "required": True, "description": "First name"}},
    "model_config": {"model": "gpt-4o-mini", "temperature": 0.7},
    "tags": ["greeting"],
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with versions, labels, traces, runs, scores, and something wrong."""
    server = Server(tmp_path_factory.mktemp("shop") / "data", "--ui-changes", "all").start()
    fill(server)
    yield server
    server.stop()


def fill(server: Server) -> None:
    client = Client(server)
    texts = {
        "1.1.0": "Be friendly, brief and precise.",
        "1.2.0": "Be thorough, and explain each step.",
    }
    client.post("/v1/prompts", FIRST)
    for version, text in texts.items():
        system, user = FIRST["messages"]
        content = system["content"].replace("Be friendly and brief.", text)
        changed = {**system, "content": content}
        client.post("/v1/prompts", {**FIRST, "version": version, "messages": [changed, user]})
    publish(client, "support/chat")
    path = "/v1/prompts/welcome/labels"
    client.post(path, {"name": "production", "version_tag": "1.0.0"})
    for version, reason in (
        ("1.1.0", "Spring"),
        ("1.0.0", "Offer ended"),
        ("1.2.0", "Support asked for details"),
    ):
        client.call("PUT", f"{path}/production", {"version_tag": version, "reason": reason})
    client.post(path, {"name": "staging", "version_tag": "1.2.0"})
    suite = {"name": "welcome-tone", "prompt_name": "welcome", "criteria": {"min_score": 0.8}}
    client.post("/v1/evaluations", suite)
    with CommandClient(server.url, server.key()) as sender:
        samples.send(sender, now())
    client.post("/v1/logs", {"prompt_name": "welcome", "version_tag": "1.2.0", "model": "gpt-4o", "status": "error",
                             "error_code": "timeout", "latency_ms": 30_000})  # fmt: skip
    repository = server.data / "repos/default.git"
    blob = run("git", "hash-object", "-w", "--stdin", cwd=repository, stdin="messages: 3").strip()
    run("git", "update-ref", "refs/tags/prompts/broken/1.0.0", blob, cwd=repository)
    client.post("/v1/sync", None)
    client.post("/v1/traces", [{"trace_id": TRACE, "name": "a long run", "prompt_name": "welcome",
                                "version_tag": "1.2.0"}])  # fmt: skip
    spans = [
        {"span_id": f"{at:05d}", "name": f"step {at % 97}", "status": "error" if at in (4_000, 9_999) else "ok",
         "start_time": at, "end_time": at + 40, **({"parent_id": f"{(at - 1) // 10:05d}"} if at else {}),
         "metadata": {"kind": ("llm", "tool", "chain")[at % 3], "model": "gpt-4o", "note": f"span number {at}"}}
        for at in range(10_000)
    ]  # fmt: skip
    for start in range(0, len(spans), 1_000):
        client.post(f"/v1/traces/{TRACE}/spans", spans[start : start + 1_000])


class Watch:
    """What a browser must never do at our pages."""

    def __init__(self, page: Page, url: str) -> None:
        self.wrong: list[str] = []
        page.on("dialog", lambda dialog: self._note(f"a dialog: {dialog.message}", dialog.dismiss))
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self._note(f"an error in a script: {error}"))
        page.on("request", lambda request: self._request(request.url, url))

    def _note(self, what: str, then: Callable[[], Any] = lambda: None) -> None:
        self.wrong.append(what)
        then()

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "status of 4" not in text:
            self._note(f"{kind} in the console: {text}")

    def _request(self, asked: str, url: str) -> None:
        if not asked.startswith(url + "/ui"):
            self._note(f"a request to {asked}")


Visit = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, shop: Server) -> Iterator[Visit]:
    """Opens pages of a server, signed in; at the end nothing must have gone wrong at any of them."""
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def open_page(
        path: str = "", *, server: Server = shop, access: str = "change", **options: Any
    ) -> Page:
        context = chromium.new_context(
            base_url=server.url, **{"viewport": {"width": 1280, "height": 900}, **options}
        )
        contexts.append(context)
        page = context.new_page()
        watches.append(Watch(page, server.url))
        page.goto("/ui/login")
        page.fill("#key", server.key())
        page.check(f"input[value={access}]")
        page.click("button.go")
        page.wait_for_url("**/prompts")
        if path:
            page.goto(f"/ui/w/default/{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [what for watch in watches for what in watch.wrong] == []
