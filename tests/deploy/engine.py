# SPDX-License-Identifier: Apache-2.0
"""A container engine with nothing in it but Debian: buildah builds our Dockerfile, podman runs what comes of it.

No registry is asked. `debian:bookworm-slim` is made from Debian's packages by mmdebstrap.
"""

from __future__ import annotations

import os
import resource
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pages import DEPLOY, ROOT

TOOLS = Path(sys.prefix) / "deploy" / "bin"
BASE = "docker.io/library/debian:bookworm-slim"
OURS = "docker.io/gitprompt/gitprompt:latest"
_STORAGE = (
    '[storage]\ndriver = "{driver}"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/store"\n'
)
_CONTAINERS = (
    '[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc=1000:1000"]\n'
    '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    '[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "{folder}/networks"\n'
)

_NEEDED = (
    "buildah", "mmdebstrap", "podman", "runc", "iptables", "netavark", "aardvark-dns",
)  # fmt: skip
_PLACES = f"{os.environ['PATH']}:/usr/lib/podman"
_missing = [name for name in _NEEDED if shutil.which(name, path=_PLACES) is None]
needs_engine = pytest.mark.skipif(
    bool(_missing) or os.geteuid() != 0,
    reason=f"needs root, and of Debian's packages: {', '.join(_NEEDED)}; missing: {', '.join(_missing)}",
)


class Engine:
    """Images and containers of its own, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = min(1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        (folder / "containers.conf").write_text(_CONTAINERS.format(folder=folder, files=files))
        self.env = {
            **os.environ,
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "PATH": f"{TOOLS}:{os.environ['PATH']}",
        }
        for driver in ("overlay", "vfs"):  # the second is slow, and possible everywhere
            (folder / "storage.conf").write_text(_STORAGE.format(driver=driver, folder=folder))
            if self._process("podman", "info").returncode == 0:
                break

    def _process(
        self, *command: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd,
            env={**self.env, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def run(self, *command: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
        process = self._process(*command, cwd=cwd, env=env)
        assert process.returncode == 0, f"{' '.join(command)}\n{process.stdout[-4000:]}"
        return process.stdout.strip()

    def podman(self, *arguments: str) -> str:
        """What a command wrote to standard output."""
        command = ("podman", "--log-level", "error", *arguments)
        process = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        assert process.returncode == 0, (
            f"{command}\n{process.stdout[-2000:]}\n{process.stderr[-2000:]}"
        )
        return process.stdout.strip()

    def refused(self, *arguments: str) -> str:
        """What podman says of what must fail."""
        process = self._process("podman", "--log-level", "error", *arguments)
        assert process.returncode != 0, process.stdout
        return process.stdout

    def build(self, file: Path, context: Path, tag: str, *options: str) -> None:
        # How this machine reaches its package index is nothing that an image should know.
        authorities = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
        index = self._process(sys.executable, "-m", "pip", "config", "get", "global.index-url")
        pip = "[global]\ncert = /run/authorities.pem\n"
        if index.returncode == 0:
            pip += f"index-url = {index.stdout}"
        (self.folder / "pip.conf").write_text(pip)
        self.run(
            "buildah", "bud", "--isolation", "chroot", "--pull-never", "--format", "docker",
            "--volume", f"{authorities}:/run/authorities.pem:ro",
            "--volume", f"{self.folder}/pip.conf:/etc/pip.conf:ro",
            *options, "--tag", tag, "--file", str(file), str(context),
        )  # fmt: skip

    def make_base(self) -> None:
        context = self.folder / "base"
        context.mkdir()
        self.run(
            "mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(context / "base.tar")
        )
        (context / "Dockerfile").write_text('FROM scratch\nADD base.tar /\nCMD ["bash"]\n')
        self.build(context / "Dockerfile", context, BASE)
        shutil.rmtree(context)


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine that has the base image and ours, built from the Dockerfile as it is."""
    folder = Path(tempfile.mkdtemp(prefix="engine-"))
    containers = Engine(folder)
    try:
        containers.make_base()
        containers.build(DEPLOY / "Dockerfile", ROOT, OURS)
        yield containers
    finally:
        containers.podman("rm", "--force", "--all")
        containers.podman("rmi", "--force", "--all")
        shutil.rmtree(folder, ignore_errors=True)
