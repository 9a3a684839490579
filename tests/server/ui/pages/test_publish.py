# SPDX-License-Identifier: Apache-2.0
"""A new version from the page: checked as it is written, published as over REST."""

from __future__ import annotations

from pathlib import Path

from tests.server.client import fresh
from tests.server.ui.browsing import Browser, words
from tests.world import Clone, Server, run

TEXT = """\
# Written on a page
messages:
  - {role: user, content: "Hello {{name}}!"}
variables:
  name: {type: string, required: true}
"""


def test_a_new_prompt_is_published(server: Server, browser: Browser) -> None:
    name = fresh("written")
    assert "A new prompt" in browser.page("publish")
    answer = browser.post("publish", name=name, text=TEXT, version="1.0.0")
    assert answer.status_code == 303
    page = words(browser.http.get(answer.headers["location"]))
    assert f"Published. {name} 1.0.0 is served." in page
    assert (
        server.get(f"/v1/prompts/{name}?variables[name]=Ada")["content"]["messages"][0]["content"]
        == "Hello Ada!"
    )
    again = browser.get("publish", prompt=name)
    assert "It is the same as 1.0.0." in words(again)
    changed = TEXT.replace("Hello", "Good day,")
    found = browser.post("publish/check", name=name, text=changed).json()
    assert (found["newest"], found["bump"], found["next"], found["findings"]) == (
        "1.0.0",
        "patch",
        "1.0.1",
        [],
    )
    assert browser.post("publish", name=name, text=changed, version="1.0.1").status_code == 303


def test_findings_say_where_and_what(browser: Browser) -> None:
    broken = TEXT.replace("{{name}}", "{{nmae}}")
    found = browser.post("publish/check", name="x", text=broken).json()
    assert not found["ok"]
    (finding,) = [one for one in found["findings"] if one["severity"] == "error"]
    assert finding["code"] == "undeclared-variable"
    assert finding["place"].startswith("3:")
    assert "did you mean 'name'" in finding["message"] + finding["hint"]
    page = browser.post("publish/draft", name="x", text=broken)
    assert "undeclared" in page.text or "nmae" in words(page)
    assert "It cannot be published like this." in words(page)
    answer = browser.post("publish", name="x", text=broken, version="1.0.0")
    assert answer.status_code == 422
    assert "Not published." in words(answer)


def test_what_was_typed_is_not_lost(browser: Browser) -> None:
    name = fresh("kept")
    browser.post("publish", name=name, text=TEXT, version="1.0.0")
    for form, said in (
        ({"version": "1.0.0"}, "Prompt already exists"),
        ({"version": "v2"}, "not a semantic version"),
        ({"name": "a/1.0.0", "version": "1.0.0"}, "reads as a version"),
        ({"name": "", "version": "1.0.0"}, "empty"),
        ({"version": ""}, "not a semantic version"),
    ):
        answer = browser.post(
            "publish", **{"name": name, "text": TEXT + "# </textarea>\u200b\n", **form}
        )
        assert answer.status_code >= 400, form
        assert said in words(answer), form
        assert "# &lt;/textarea&gt;\u200b" in answer.text  # as it is, to go on with
        assert "Written on a page" in answer.text


def test_hostile_documents_are_findings(browser: Browser) -> None:
    for text in (
        "",
        "[" * 30_000,
        "a: &a [*a]",
        "\0",
        "x" * 300_000,
        "{",
        "- 1",
        "!!python/object:os.system x",
    ):
        found = browser.post("publish/check", name="x", text=text).json()
        assert not found["ok"]
        assert found["findings"]


def test_a_document_that_includes_fragments_is_checked_with_those_of_the_branch(
    server: Server, tmp_path: Path
) -> None:
    clone = Clone.init(tmp_path / "c")
    clone.write("prompts/_fragments/tone.md", "Be warm, {{name}}.\n")
    clone.commit("x", greet=TEXT)
    clone.tag("greet", "1.0.0")
    clone.push_all(server.remote(workspace="included"))
    browser = Browser(server, workspace="included")
    text = TEXT.replace("Hello {{name}}!", "{{> tone}}")
    assert browser.post("publish/check", name="greet", text=text).json()["ok"]
    missing = browser.post(
        "publish/check", name="greet", text=TEXT.replace("Hello", "{{> none}}")
    ).json()
    assert not missing["ok"]
    page = browser.get("publish", prompt="greet", **{"from": "1.0.0"})
    assert "# Written on a page" in page.text  # the file as it is in Git
    answer = browser.post("publish", name="greet", text=text, version="1.1.0")
    assert answer.status_code == 303
    committed = run(
        "git", "show", "main:prompts/greet.yaml", cwd=server.data / "repos/included.git"
    )
    assert "{{> tone}}" in committed  # it still includes what it did
    served = server.request("/v1/prompts/greet?variables[name]=Ada", headers={"X-Workspace-Id": "included"},
                            key=server.key(workspace="included")).json()  # fmt: skip
    assert served["content"]["messages"][0]["content"] == "Be warm, Ada."
