# SPDX-License-Identifier: Apache-2.0
"""The documentation that the server has itself."""

from __future__ import annotations

from tests.world import Server


def test_the_documentation_page_and_its_assets_are_ours(server: Server) -> None:
    for path in ("/docs", "/docs/"):
        page = server.request(path, key=None)
        assert page.status_code == 200
        assert "swagger" in page.text
        assert "http://" not in page.text
        assert "https://" not in page.text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert server.request(f"/docs/{name}", key=None).status_code == 200
    assert server.request("/docs/../app.py", key=None).status_code == 404


def test_the_front_says_what_this_is_and_where_the_docs_are(server: Server) -> None:
    answer = server.request("/", key=None)
    assert answer.status_code == 200
    front = answer.json()
    assert front["name"] == "gitprompt"
    for link in ("docs", "openapi", "health"):
        assert server.request("/" + front[link], key=None).status_code == 200
