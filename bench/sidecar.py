# SPDX-License-Identifier: Apache-2.0
"""A running sidecar for a bench."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Running(NamedTuple):
    url: str
    key: str
    pid: int
    data: str


@contextmanager
def sidecar(data: str, *options: str) -> Iterator[Running]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT")}
    command = [sys.executable, "-m", "gitprompt"]
    process = subprocess.Popen(
        [*command, "serve", "--data", data, "--port", "0", "--log-level", "error", *options],
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    key = subprocess.run(
        [*command, "keys", "create", "--data", data, "--scopes", "read,write,admin"],
        check=True, capture_output=True, text=True, env=env,
    ).stdout.strip()  # fmt: skip
    try:
        yield Running(url, key, process.pid, data)
    finally:
        process.terminate()
        process.communicate()
