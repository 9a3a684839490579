# SPDX-License-Identifier: Apache-2.0
"""All rows together: what the documentation prints works."""

from __future__ import annotations

from typing import Any

from tests.server.client import Client


def test_the_examples_of_the_documentation_work_as_printed(
    client: Client, described: dict[str, Any]
) -> None:
    """In the order of a day: each body that the documentation shows is sent as it stands."""
    examples = {
        (method, path): operation["requestBody"]["content"]["application/json"]["example"]
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        if "example" in operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    }  # fmt: skip
    prompt = examples.pop(("post", "/v1/prompts"))
    client.http.post("/v1/prompts", json=prompt)
    names = {"{name}": prompt["name"], "{label}": "example", "{evaluation_id}": "accuracy-check"}
    trace = examples.pop(("post", "/v1/traces"))
    client.post("/v1/traces", trace)
    names["{trace_id}"] = trace["trace_id"]
    names["{run_id}"] = client.post("/v1/runs", examples.pop(("post", "/v1/runs")))["run_id"]
    client.post("/v1/evaluations", examples.pop(("post", "/v1/evaluations")))
    for (method, path), body in examples.items():
        for hole, value in names.items():
            path = path.replace(hole, value)
        client.call(method.upper(), path, body)
