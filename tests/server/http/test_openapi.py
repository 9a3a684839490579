# SPDX-License-Identifier: Apache-2.0
"""schemathesis, from our own OpenAPI document, against a really listening server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.world import Server


@pytest.mark.clients
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("examples", [15, pytest.param(50, marks=pytest.mark.soak)])
def test_schemathesis_finds_no_500_and_nothing_undocumented(
    server: Server, tmp_path: Path, examples: int
) -> None:
    command = [
        os.path.join(os.path.dirname(sys.executable), "schemathesis"),
        "run", f"{server.url}/openapi.json", "-H", f"X-API-Key: {server.key()}",
        "--checks", "all",
        # Names and versions have rules that JSON Schema cannot say, such as "no version in a name".
        "--exclude-checks", "positive_data_acceptance",
        "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples),
        "--generation-deterministic", "--no-color", "--workers", "1",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-16_000:] + done.stderr[-1_000:]
    assert "Tested: " in done.stdout


def test_the_openapi_document_is_valid(described: dict[str, Any]) -> None:
    validate(described)
