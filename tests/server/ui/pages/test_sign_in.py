# SPDX-License-Identifier: Apache-2.0
"""Signing in and out: a new session each time, to a page of ours, until the key goes."""

from __future__ import annotations

import pytest

from gitprompt.cli.remote import connect_locally
from gitprompt.server.ui.page import Links
from gitprompt.server.ui.pages.sign_in import local_path
from tests.server.ui.browsing import FROM_HERE, Browser, words
from tests.world import Server


def cookie_of(browser: Browser) -> str:
    return str(browser.http.cookies["gitprompt_ui"])


def test_a_key_opens_a_session_that_signing_out_ends(server: Server) -> None:
    browser = Browser(server, access=None)
    assert "Paste" not in browser.page("/ui/login")
    answer = browser.post("/ui/login", key=f" {server.key()} ", access="look")
    assert answer.headers["location"] == "/ui/w/default/prompts"
    header = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/ui;"):
        assert part in header
    assert "Secure" not in header
    assert "look only" in browser.page("prompts")
    kept = cookie_of(browser)
    answer = browser.post("/ui/logout")
    assert answer.headers["location"] == "/ui/login"
    assert "Max-Age=0" in answer.headers["set-cookie"]
    browser.http.cookies.set("gitprompt_ui", kept)  # whoever has copied it
    assert browser.get("prompts").status_code == 303
    assert browser.get("prompts").headers["location"].endswith("why=over")


def test_what_is_no_key_is_said_and_not_shown(server: Server) -> None:
    browser = Browser(server, access=None)
    for key, said in (
        ("pm_" + "0" * 64, "not an API key of this server"),
        ("<script>alert(1)</script>", "not an API key of this server"),
        ("ключ", "not an API key of this server"),
        ("", "Paste an API key"),
    ):
        answer = browser.post("/ui/login", key=key, access="look")
        assert answer.status_code in (400, 401)
        assert said in words(answer)
        assert not key or key not in answer.text
        assert "set-cookie" not in answer.headers
    assert browser.post("/ui/login", key=server.key(), access="root").status_code == 400
    answer = browser.post("/ui/login", key=server.key("write"), access="look")
    assert "cannot read" in words(answer)


def test_a_session_that_somebody_else_has_set_is_never_taken(server: Server) -> None:
    browser = Browser(server, access=None)
    browser.http.cookies.set("gitprompt_ui", "chosen-by-an-attacker")
    browser.post("/ui/login", key=server.key(), access="look")
    values = [cookie.value for cookie in browser.http.cookies.jar if cookie.path == "/ui"]
    assert values
    assert "chosen-by-an-attacker" not in values


def test_revoking_the_key_ends_the_session_at_once(server: Server) -> None:
    made = server.request(
        "/v1/api-keys", method="POST", headers={"Content-Type": "application/json"},
        content=b'{"name": "leaver", "scopes": "read"}',
    ).json()  # fmt: skip
    browser = Browser(server, access=None)
    browser.post("/ui/login", key=made["key"], access="look")
    assert "leaver" in browser.page("prompts")
    server.request(f"/v1/api-keys/{made['id']}", method="DELETE")
    answer = browser.get("prompts")
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/ui/login")


def test_signing_in_leads_to_where_one_wanted_to_go(server: Server) -> None:
    browser = Browser(server, access=None)
    answer = browser.get("prompts", q="a b", tag="ä")
    form = browser.http.get(answer.headers["location"])
    assert "/ui/w/default/prompts?q=a+b&amp;tag=%C3%A4" in form.text
    answer = browser.post(
        "/ui/login", key=server.key(), access="look", next="/ui/w/default/prompts?q=a+b"
    )
    assert answer.headers["location"] == "/ui/w/default/prompts?q=a+b"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "/ui/../../x\\y", "javascript:alert(1)",
        "/ui//evil.example", "/uix", "/v1/prompts", "/ui/w/\r\nSet-Cookie: a=b", "/ui/ä", "/ui/login?ticket=x",
        "/ui/" + "x" * 3_000, " /ui/", "http:/ui/", "/ui/../docs",
        "/ui/..", "/ui/w/%2E./%2e%2e/x", "/ui/./../v1/prompts?q=a",
    ],
)  # fmt: skip
def test_it_leads_nowhere_else(server: Server, wanted: str) -> None:
    assert local_path(Links("", "default"), wanted) == ""
    answer = Browser(server, access=None).post(
        "/ui/login", key=server.key(), access="look", next=wanted
    )
    assert answer.headers["location"] == "/ui/w/default/prompts"
    answer = Browser(server, access=None).post("/ui/preferences", next=wanted)
    assert answer.headers["location"] == "/ui"


def test_the_front_is_the_prompts(browser: Browser) -> None:
    assert browser.get("/ui/").headers["location"] == "/ui/w/default/prompts"
    assert browser.get("/ui").headers["location"] == "/ui/w/default/prompts"
    assert browser.get("/ui/w/default").headers["location"] == "/ui/w/default/prompts"


def ticket(server: Server, **asked: object) -> str:
    client = connect_locally(str(server.data))
    assert client is not None
    path = str(client.post("/ui/tickets", asked)["path"])
    return path.partition("ticket=")[2]


def test_a_ticket_shows_a_button_first_and_opens_one_session(server: Server) -> None:
    first, second = Browser(server, access=None), Browser(server, access=None)
    link = ticket(server, changes=True)
    for browser in (first, second):  # a preview in a chat, too
        page = browser.get("/ui/login", ticket=link)
        assert "This link signs you in" in words(page)
        assert "set-cookie" not in page.headers
    assert first.post("/ui/login", ticket=link).status_code == 303
    assert "local token · look and change" in first.page("prompts")
    assert "Keys" in first.page("prompts")
    answer = second.post("/ui/login", ticket=link)
    assert answer.status_code == 401
    assert "used already" in words(answer)
    assert "used already" in second.page("/ui/login", ticket=link)


def test_the_ticket_of_a_demo_opens_many(server: Server) -> None:
    link = ticket(server, changes=False, single=False, seconds=3_600)
    for _ in range(2):
        browser = Browser(server, access=None)
        assert browser.post("/ui/login", ticket=link).status_code == 303
        assert "look only" in browser.page("prompts")


def test_tickets_are_made_on_the_socket_of_the_data_folder_alone(server: Server) -> None:
    answer = server.request("/ui/tickets", method="POST", content=b"{}")
    assert answer.status_code == 404


def test_signing_in_and_out_is_written_down(server: Server) -> None:
    browser = Browser(server, workspace="written")
    browser.post("/ui/logout")
    key = server.key(workspace="written")
    answer = server.request("/v1/audit-logs", key=key).json()
    actions = [(item["action"], item["target_id"]) for item in answer["items"]]
    assert actions[:2] == [("ui:logout", None), ("ui:login", "look and change")]
    assert key not in server.logged()


def test_preferences_are_kept_in_the_browser(server: Server, browser: Browser) -> None:
    answer = browser.http.post(
        "/ui/preferences", data={"theme": "dark", "time": "local", "keys": "off", "next": "/ui/w/default/status"},
        headers=FROM_HERE,
    )  # fmt: skip
    assert answer.headers["location"] == "/ui/w/default/status"
    page = browser.get("status").text
    for part in ('data-theme="dark"', 'data-time="local"', 'data-keys="off"'):
        assert part in page
    browser.post("/ui/preferences", theme='"><script>', time="x", keys="")
    assert "data-theme" not in browser.get("status").text
