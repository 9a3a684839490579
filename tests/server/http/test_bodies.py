# SPDX-License-Identifier: Apache-2.0
"""Bodies: bounded, checked, and all that is wrong told at once."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.server.client import Client


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400), (b"{", 400), (b"\xff\xfe", 400), (b"[" * 5000, 400), (b"null", 422),
        (b"[]", 422), (b'{"prompt_name": NaN}', 400), (b'{"cost_usd": 1e400}', 400),
        (b'{"prompt_name": "\\ud800", "version_tag": "1"}', 400),
        (b'{"prompt_name": "a\\u0000b", "version_tag": "1"}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "latency_ms": -1}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "latency_ms": 1.5}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "latency_ms": 99999999999999999999}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "cost_usd": -0.1}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "status": "maybe"}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "metadata": []}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "metadata": {"n": 123456789012345678901234567890}}', None),
        (json.dumps({"prompt_name": "a", "version_tag": "1", "metadata": {str(n): 1 for n in range(51)}}).encode(), 422),
        (json.dumps({"prompt_name": "x" * 257, "version_tag": "1"}).encode(), 422),
        (b'{"prompt_name": null, "version_tag": "1"}', 422),
        (b'{"prompt_name": "a", "version_tag": "1", "model": null}', 202),
    ],
)  # fmt: skip
def test_hostile_bodies(client: Client, content: bytes, status: int | None) -> None:
    response = client.http.post(
        "/v1/logs", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == status if status else response.status_code in (202, 422), (
        response.text
    )


def test_all_problems_of_a_body_are_told_at_once(client: Client) -> None:
    response = client.http.post(
        "/v1/logs", json={"prompt_name": 1, "latency_ms": "x", "status": "no"}
    )
    fields = response.json()["details"]["fields"]
    assert len(fields) == 4
    assert any("version_tag" in field for field in fields)


def test_large_compressed_and_mistyped_bodies(client: Client) -> None:
    big = {"prompt_name": "a", "version_tag": "1", "metadata": {"x": "y" * 10_000_001}}
    assert client.refused("POST", "/v1/logs", big)[0] == 413
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    def send(content: bytes, **more: str) -> int:
        return client.http.post(
            "/v1/logs", content=content, headers={**headers, **more}
        ).status_code

    assert send(gzip.compress(json.dumps(big).encode())) == 413
    assert send(gzip.compress(b'{"prompt_name": "a", "version_tag": "1"}')) == 202
    assert send(b"not gzip") == 400
    assert send(b"{}", **{"Content-Encoding": "br"}) == 415
    assert send(b"{}", **{"Content-Type": "text/plain", "Content-Encoding": "identity"}) == 415
    assert client.refused("PATCH", "/v1/logs", {})[0] == 405
    response = client.http.request("PUT", "/v1/traces/count")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


def test_what_is_not_json_is_refused_before_it_is_unpacked(client: Client) -> None:
    for path in ("/v1/runs", "/v1/traces", "/v1/evaluations"):
        headers = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
        answer = client.http.post(path, content=b"no gzip", headers=headers)
        assert answer.status_code == 415, path
