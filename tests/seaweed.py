# SPDX-License-Identifier: Apache-2.0
"""A real store that speaks the protocol of S3: SeaweedFS, from a wheel, started once for all tests of a process."""

from __future__ import annotations

import atexit
import json
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import httpx

from gitprompt import drivers
from gitprompt.config import server_settings
from tests.postgres import listens
from tests.world import empty_repository, eventually

ACCESS, SECRET = "gitprompt", "s3cret-of-the-store"
BUCKET = "prompts-of-tests"


class Seaweed:
    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="seaweed-"))
        atexit.register(self.stop)
        for _ in range(4):  # ports that were free may be taken meanwhile
            self.port, filer = _free_port(), _free_port()
            self._process = self._start(filer)
            with suppress(AssertionError):
                eventually(partial(self._has_bucket, filer), seconds=20)
                break
            self._process.kill()
            self._process.wait()
        drivers.make(server_settings({}, self.environment("first"))).claim(
            "default", empty_repository(self._folder / "first")
        )  # its first write takes some seconds

    def _start(self, filer: int) -> subprocess.Popen[bytes]:
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        config = self._folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        data = Path(tempfile.mkdtemp(dir=self._folder))
        ports = [f"-{what}.port={_free_port()}" for what in ("master", "volume")]
        return subprocess.Popen(
            [
                Path(sys.prefix) / "bin" / "weed", "server", f"-dir={data}", "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1", "-s3", f"-s3.port={self.port}", f"-s3.config={config}", "-filer",
                f"-filer.port={filer}", "-volume.max=20", "-master.volumeSizeLimitMB=64",
                "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0", *ports,
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _has_bucket(self, filer: int) -> bool:
        assert self._process.poll() is None, "it has ended"
        with suppress(httpx.TransportError):
            made = httpx.post(f"http://127.0.0.1:{filer}/buckets/{BUCKET}/")
            return made.status_code in (201, 409) and listens(self.port)
        return False

    def environment(self, prefix: str) -> dict[str, str]:
        """The settings of a driver whose keys begin so."""
        return {
            "DRIVER": "s3", "S3_BUCKET": BUCKET, "S3_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "S3_ACCESS_KEY": ACCESS, "S3_SECRET_KEY": SECRET, "S3_PREFIX": prefix,
        }  # fmt: skip

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    """One of which the port ten thousand above is free, too: that is for its gRPC."""
    while True:
        port = random.randrange(12_000, 30_000)
        if not listens(port) and not listens(port + 10_000):
            return port


@cache
def seaweed() -> Seaweed:
    return Seaweed()
