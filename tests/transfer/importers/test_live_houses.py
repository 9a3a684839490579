# SPDX-License-Identifier: Apache-2.0
"""What is asked of LangSmith's and MLflow's live APIs, of small servers that really listen."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.transfer.foreign.test_manifests import template
from tests.transfer.moving_in import FIXTURES, House, losses

Answer = Callable[[str, dict[str, str], Any], Any]


@contextmanager
def serving(answer: Answer, key: str) -> Iterator[str]:
    """A server whose answers are those of `answer(path, query, body)`, for who has the key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Any) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            is_known = key in (self.headers.get("X-API-Key"), self.headers.get("Authorization"))
            data = json.dumps(answer(unquote(parts.path), query, body) if is_known else {}).encode()
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


RUNS = [json.loads(line) for line in (FIXTURES / "langsmith-runs.jsonl").read_text().splitlines()]
PROJECT = RUNS[0]["session_id"]
COMMIT = RUNS[1]["extra"]["metadata"]["lc_hub_commit_hash"]
COMMITS = [
    {"commit_hash": "f" * 64, "created_at": "2026-09-02T00:00:00"}, {"commit_hash": COMMIT, "created_at": "2026-09-01T00:00:00"},
]  # fmt: skip
FEEDBACK = {
    "id": "f1",
    "key": "good",
    "score": 1,
    "run_id": RUNS[1]["id"],
    "created_at": "2026-09-18T13:00:00",
}


def langsmith(path: str, query: dict[str, str], body: Any) -> Any:
    offset = int(query.get("offset", 0))
    if path == "/api/v1/repos":
        return {"repos": [] if offset else [{"repo_handle": "support-triage", "owner": None}]}
    if path == "/api/v1/commits/-/support-triage":
        return {"commits": [] if offset else COMMITS}
    if path.startswith("/api/v1/commits/"):
        return {"manifest": template(f"Commit {path[-4:]} {{x}}")}
    if path == "/api/v1/sessions":
        return [] if offset else [{"id": PROJECT}]
    if path == "/api/v1/feedback":
        assert query["session"] == PROJECT
        return [] if offset else [FEEDBACK]
    assert (path, body["session"], body["order"]) == ("/api/v1/runs/query", [PROJECT], "asc")
    start = int(body.get("cursor") or 0)
    following = start + 2 if start + 2 < len(RUNS) else None
    return {
        "runs": RUNS[start : start + 2],
        "cursors": {"next": str(following) if following else None},
    }


def test_langsmith_prompts_first_then_runs_and_feedback(house: House) -> None:
    with serving(langsmith, "lsv2") as url:
        options = ("--url", url, "--key", "lsv2", "--rate", "0")
        report = house.migrate(house="langsmith", options=options)
        again = house.migrate(house="langsmith", options=options)
        refused = house.migrate(
            house="langsmith", options=("--url", url, "--key", "no", "--rate", "0"), code=1
        )
    assert {kind: number["new"] for kind, number in report["counts"].items()} == {
        "traces": 2, "spans": 4, "scores": 1, "prompt versions": 2, "labels": 0,
    }  # fmt: skip
    assert not any(number["new"] for number in again["counts"].values())
    assert "the key is not good there" in refused["broken"]
    trace = house.client.get(f"/v1/traces/{RUNS[0]['id']}")
    call = next(span for span in trace["spans"] if span["span_id"] == RUNS[1]["id"])
    assert (call["start_time"], call["facts"]["prompt_version"]) == (
        150,
        "1",
    )  # the older commit of the two
    (score,) = house.client.get("/v1/scores")["items"]
    assert score["trace_id"] == RUNS[0]["id"]  # feedback names the run alone
    assert (
        house.client.get("/v1/prompts/support-triage?version=1&render=false")["text"]
        == f"Commit {COMMIT[-4:]} {{{{x}}}}"
    )


def mlflow(path: str, query: dict[str, str], _body: Any) -> Any:
    if path == "/api/2.0/mlflow/registered-models/search":
        page = {
            "registered_models": [
                {"name": "greet", "aliases": [{"alias": "champion", "version": "1"}]}
            ]
        }
        return (
            page
            if query.get("page_token") == "2"
            else {"registered_models": [], "next_page_token": "2"}
        )
    assert path == "/api/2.0/mlflow/model-versions/search"
    assert query["filter"] == "name = 'greet'"
    versions = [
        {
            "name": "greet",
            "version": str(at),
            "creation_timestamp": 1_789_732_800_000 + at,
            "tags": [{"key": "mlflow.prompt.text", "value": f"Hi {at}"}],
        }
        for at in (2, 1)
    ]
    return {"model_versions": versions}


def test_mlflow_prompts_and_what_is_not_asked(house: House) -> None:
    with serving(mlflow, "Bearer token") as url:
        report = house.migrate(
            house="mlflow", options=("--url", url, "--key", "token", "--rate", "0")
        )
    assert report["counts"]["prompt versions"]["new"] == 2
    assert "not asked of the live API" in losses(report)["traces"]
    assert house.client.get("/v1/prompts/greet?label=champion&render=false")["text"] == "Hi 1"
