# SPDX-License-Identifier: Apache-2.0
"""What holds for every page: its policy, its errors, where its forms come from, and whose workspace it is."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from gitprompt.server.ui.looks.assets import FOLDER as STATIC
from gitprompt.server.ui.looks.assets import assets
from gitprompt.server.ui.looks.templating import FOLDER as TEMPLATES
from gitprompt.server.ui.pages import PAGES
from gitprompt.server.ui.site import POLICY
from tests.server.client import Client, fresh, publish
from tests.server.ui.browsing import FROM_HERE, Browser, words
from tests.world import Server

GETS = [page for page in PAGES if page.method == "GET"]
POSTS = [page for page in PAGES if page.method == "POST"]


def address(path: str, workspace: str = "default") -> str:
    """One that the row of a page takes."""
    values = {"workspace": workspace, "name": "nothing", "trace_id": "0" * 32, "number": "1"}
    return "/ui" + re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: values.get(m[1], "x"), path)


def check_policy(answer: httpx.Response) -> None:
    headers = answer.headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", [page.path for page in GETS])
def test_every_page_has_the_policy_whoever_asks(
    server: Server, browser: Browser, path: str
) -> None:
    stranger = Browser(server, access=None)
    for one in (browser, stranger):
        answer = one.get(address(path))
        assert answer.status_code < 500
        check_policy(answer)
    if not path.startswith("/login"):
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/ui/login?next=%2Fui")


@pytest.mark.parametrize("path", [page.path for page in POSTS])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
    ],
)
def test_a_form_from_elsewhere_is_refused(
    browser: Browser, path: str, headers: dict[str, str]
) -> None:
    answer = browser.http.post(address(path), data={"action": "x"}, headers=headers)
    assert answer.status_code == 403
    assert "not sent by a page of this server" in words(answer)
    check_policy(answer)


def test_a_form_without_sec_fetch_site_is_judged_by_its_origin(server: Server) -> None:
    browser = Browser(server, access=None)
    answer = browser.http.post(
        "/ui/login", data={"key": server.key()}, headers={"Origin": server.url}
    )
    assert answer.status_code == 303
    # What Sec-Fetch-Site says counts, whatever Origin says.
    headers = {"Origin": server.url, "Sec-Fetch-Site": "cross-site"}
    answer = browser.http.post("/ui/logout", headers=headers)
    assert answer.status_code == 403


def test_the_cookie_is_for_the_pages_alone(server: Server, browser: Browser) -> None:
    name, value = next(iter(browser.http.cookies.items()))
    for path in ("/v1/prompts", "/v1/sync", "/git/default.git/info/refs?service=git-upload-pack"):
        answer = httpx.get(server.url + path, headers={"Cookie": f"{name}={value}"})
        assert answer.status_code == 401, path


@pytest.fixture(scope="module")
def theirs(server: Server) -> str:
    name = fresh("secret")
    publish(Client(server, **{"X-Workspace-Id": "theirs"}), name)
    return name


@pytest.fixture(scope="module")
def mine(server: Server) -> Browser:
    return Browser(server, workspace="mine")


@pytest.mark.parametrize(
    ("method", "path"), [(page.method, page.path) for page in PAGES if "{workspace}" in page.path]
)
def test_another_workspace_does_not_exist(
    mine: Browser, theirs: str, method: str, path: str
) -> None:
    answer = mine.http.request(method, address(path, "theirs"), headers=FROM_HERE)
    assert answer.status_code == 404
    assert "no such workspace" in words(answer)


def test_a_master_key_sees_all_workspaces_that_there_are(server: Server, theirs: str) -> None:
    master = Browser(server, workspace="*")
    assert theirs in master.page("/ui/w/theirs/prompts")
    assert "Workspaces" in master.page("/ui/w/default/prompts")
    assert "no such workspace" in master.page("/ui/w/nobody/prompts", 404)
    assert "no such workspace" in master.page("/ui/w/a.b/prompts", 404)
    assert "no such page" in master.page("/ui/w/..%2f..%2fetc/prompts", 404)


def test_a_scope_that_is_missing_is_said(server: Server) -> None:
    reader = Browser(server, "read")
    assert "Missing required scope: admin" in reader.page("audit", 403)
    assert "Audit" not in reader.page("prompts")
    answer = reader.post("status")
    assert answer.status_code == 403
    assert "needs the scope write, and you have read" in words(answer)


def test_look_changes_nothing(server: Server) -> None:
    looker = Browser(server, access="look")
    answer = looker.post("status")
    assert answer.status_code == 403
    assert "signed in to look only" in words(answer)
    assert "Who did what" in looker.page("audit")  # what the key may read, look may read


def test_what_is_no_page_is_said_on_one(browser: Browser) -> None:
    assert "There is no such page" in browser.page("/ui/nowhere", 404)
    answer = browser.http.delete("/ui/w/default/prompts")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    answer = browser.http.post(
        "/ui/w/default/status",
        content=b"{}",
        headers={**FROM_HERE, "Content-Type": "application/json"},
    )
    assert answer.status_code == 415
    head = browser.http.head("/ui/w/default/prompts")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 1_000
    broken = browser.http.post(
        "/ui/w/default/status",
        content=b"a=%ff",
        headers={**FROM_HERE, "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert broken.status_code == 400


def test_static_files_are_for_ever_under_their_digest(server: Server) -> None:
    known = assets()
    for name, asset in known.files.items():
        answer = server.request(f"/ui/static/{known.digest}/{name}", key=None)
        assert answer.status_code == 200
        assert answer.content == asset.body
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("0000/ui.css", f"{known.digest}/../site.py", f"{known.digest}/nothing.js"):
        assert server.request(f"/ui/static/{path}", key=None).status_code == 404


def test_the_page_of_a_hostile_host_leads_nowhere_else(server: Server, browser: Browser) -> None:
    answer = browser.http.get("/ui/w/default/prompts", headers={"Host": 'evil.example"><script>'})
    assert "evil" not in answer.text
    answer = browser.http.get("/ui/w/default/prompts", headers={"Host": "evil.example"})
    assert 'href="http' not in answer.text  # no address of a page has a host
    assert 'src="http' not in answer.text


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Server:
    data = tmp_path_factory.mktemp("below") / "data"
    return Server(data, "--root-path", "/tools/gitprompt").start()


def test_pages_below_a_prefix_link_below_it(below: Server) -> None:
    try:
        browser = Browser(below, access=None)
        answer = browser.get("/ui/w/default/prompts")
        assert answer.headers["location"].startswith("/tools/gitprompt/ui/login?next=%2Ftools")
        answer = browser.post(
            "/ui/login", key=below.key(), next="/tools/gitprompt/ui/w/default/status"
        )
        assert answer.headers["location"] == "/tools/gitprompt/ui/w/default/status"
        assert "Path=/tools/gitprompt/ui;" in answer.headers["set-cookie"]
        cookie = answer.headers["set-cookie"].partition(";")[0]
        for path in ("/ui/w/default/prompts", "/tools/gitprompt/ui/w/default/prompts"):
            page = browser.http.get(path, headers={"Cookie": cookie})
            assert page.status_code == 200
            links = re.findall(r'(?:href|src|action)="([^"]+)"', page.text)
            assert [link for link in links if not link.startswith(("/tools/gitprompt/", "#"))] == []
        style = re.search(r'href="([^"]+ui\.css)"', page.text)
        assert style is not None
        assert browser.http.get(style[1]).status_code == 200
    finally:
        below.stop()


# What the source does not have


def test_no_template_lets_text_through_as_markup() -> None:
    for path in Path(TEMPLATES).iterdir():
        text = path.read_text()
        for wrong in (
            "|safe",
            "| safe",
            "Markup(",
            "autoescape",
            "innerHTML",
            "style=",
            "http://",
            "https://",
        ):
            assert wrong not in text, (path.name, wrong)
        assert re.search(r"\son[a-z]+=", text) is None, path.name
        assert re.search(r"<script(?![^>]* src=)", text) is None, path.name


def test_scripts_and_styles_are_ours_and_small() -> None:
    scripts = [path for path in Path(STATIC).iterdir() if path.suffix == ".js"]
    for path in scripts:
        text = path.read_text()
        for wrong in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "http:",
            "https:",
        ):
            assert wrong not in text.replace("http://www.w3.org/2000/svg", ""), (path.name, wrong)
    assert sum(path.stat().st_size for path in scripts) <= 25_000
    assert (Path(STATIC) / "ui.css").stat().st_size <= 20_000


@pytest.mark.parametrize("path", ["traces", "logs", "runs", "audit", "prompts", "status"])
def test_no_parameter_of_a_query_breaks_a_page(browser: Browser, path: str) -> None:
    odd = "self=1&segments=1&from_=1&query=1&workspace=1&%00=%ef%bb%bf&=1"
    assert browser.get(f"{path}?{odd}").status_code == 200


@pytest.mark.parametrize(
    "path", ["/ui/login", "/ui/preferences", "/ui/logout", "keys", "labels/x/y"]
)
def test_a_form_is_no_larger_than_what_it_asks_for(
    server: Server, browser: Browser, path: str
) -> None:
    for one in (browser, Browser(server, access=None)):
        assert one.post(path, key="x" * 20_000).status_code in (401, 404, 405, 413)
    assert browser.post("/ui/preferences", theme="x" * 20_000).status_code == 413


def test_a_large_form_is_read_whole(browser: Browser) -> None:
    text = "é\r\n" * 100_000
    page = browser.post("publish/draft", name="\x01" * 100_000, text=text)
    assert page.status_code == 200
    assert page.text.count("é") >= 100_000
    assert page.text.count("[U+0001]") <= 2_000
