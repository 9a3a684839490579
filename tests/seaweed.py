# SPDX-License-Identifier: Apache-2.0
"""A real store that speaks the protocol of S3: SeaweedFS, from a wheel, started once for all tests of a process."""

from __future__ import annotations

import atexit
import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import httpx

from gitprompt.config import server_settings
from gitprompt.drivers.objects import check_store
from gitprompt.drivers.s3 import bucket
from gitprompt.errors import GitpromptError
from tests.world import eventually

ACCESS, SECRET = "gitprompt", "s3cret-of-the-store"
BUCKET = "prompts-of-tests"
_TRIES = 4  # ports that were free may be taken meanwhile
_PATIENCE = 60  # seconds


class Seaweed:
    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="seaweed-"))
        self._log = self._folder / "log"
        atexit.register(self.stop)
        for at in range(_TRIES):
            self._process, filer = self._start()
            try:
                eventually(partial(self._is_made, filer), seconds=_PATIENCE)
                eventually(self._is_sound, seconds=_PATIENCE)
                return
            except AssertionError as error:
                self._end()
                assert at + 1 < _TRIES, f"SeaweedFS did not start: {error}\n{self.said()}"

    def _start(self) -> tuple[subprocess.Popen[bytes], int]:
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        config = self._folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        data = Path(tempfile.mkdtemp(dir=self._folder))
        names = ("master", "volume", "filer", "s3")
        ports = dict(zip(names, _free_ports(len(names)), strict=True))
        self.port = ports["s3"]
        with self._log.open("ab") as said:
            process = subprocess.Popen(
            [
                Path(sys.prefix) / "bin" / "weed", "server", f"-dir={data}", "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1", "-s3", f"-s3.config={config}", "-filer", "-volume.max=20",
                "-master.volumeSizeLimitMB=64", "-master.telemetry=false", "-s3.port.iceberg=0",
                "-s3.port.lance=0", *(f"-{name}.port={port}" for name, port in ports.items()),
            ],
            stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        return process, ports["filer"]

    def _is_made(self, filer: int) -> bool:
        """Whether the bucket is there."""
        self.must_live()
        with suppress(httpx.TransportError):
            made = httpx.post(f"http://127.0.0.1:{filer}/buckets/{BUCKET}/")
            return made.status_code in (201, 409)
        return False

    def _is_sound(self) -> bool:
        """Whether it keeps what a log of refs needs: its first write takes some seconds."""
        self.must_live()
        with suppress(GitpromptError):
            check_store(bucket(server_settings({}, self._environment("first"))), "first/")
            return True
        return False

    def must_live(self) -> None:
        code = self._process.poll()
        assert code is None, f"SeaweedFS has ended with {code}\n{self.said()}"

    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-4_000:]

    def environment(self, prefix: str) -> dict[str, str]:
        """The settings of a driver whose keys begin so."""
        self.must_live()
        return self._environment(prefix)

    def _environment(self, prefix: str) -> dict[str, str]:
        return {
            "DRIVER": "s3", "S3_BUCKET": BUCKET, "S3_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "S3_ACCESS_KEY": ACCESS, "S3_SECRET_KEY": SECRET, "S3_PREFIX": prefix,
        }  # fmt: skip

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    """Such of which the port ten thousand above, which is for its gRPC, is free, too; both are below those that
    the system gives to whoever asks for any."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(12_000, 22_000)
        if _is_free(port) and _is_free(port + 10_000):
            found.add(port)
    return list(found)


def _is_free(port: int) -> bool:
    with socket.socket() as found:
        try:
            found.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@cache
def seaweed() -> Seaweed:
    return Seaweed()
