# SPDX-License-Identifier: Apache-2.0
"""Health: what is checked, that one failure hides no other, and that strangers learn no details."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import httpx
import pytest

from gitprompt import drivers
from gitprompt.config import ServerSettings
from gitprompt.drivers.filesystem import Filesystem
from gitprompt.errors import GitpromptError
from gitprompt.git.repository import Repository
from gitprompt.server.app import Sidecar, sidecar
from gitprompt.server.ops import health

GOOD = {"sqlite": "ok", "index": "ok", "driver": "ok", "sync": "ok", "space": "ok"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def _without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_KEPT", 0.0)


@pytest.fixture
def application(data: Path) -> Iterator[Sidecar]:
    with sidecar(ServerSettings(data=str(data))) as running:
        yield running


def asked(application: Sidecar, path: str = "/health/deep", method: str = "GET") -> httpx.Response:
    async def story() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            return await client.request(method, path)

    return asyncio.run(story())


def test_a_repository_that_is_gone_is_the_drivers_failure_alone(
    application: Sidecar, data: Path
) -> None:
    shutil.rmtree(data / "repos" / "default.git")
    answer = asked(application)
    assert answer.status_code == 503
    body = answer.json()
    assert (body["status"], body["checks"]) == ("degraded", {**GOOD, "driver": "error"})
    assert body["dbConnected"] is True


def test_what_is_wrong_is_for_the_log_and_not_for_strangers(
    application: Sidecar, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(data / "repos" / "default.git")
    with caplog.at_level(logging.WARNING):
        answer = asked(application)
    assert str(data) not in answer.text
    assert "a health check failed" in caplog.text


def test_a_sync_that_failed_is_told_until_one_succeeds(application: Sidecar, data: Path) -> None:
    workspaces = application.context.workspaces
    source = workspaces.source("default")
    assert source is not None
    shutil.move(data / "repos" / "default.git", data / "away")
    with pytest.raises((GitpromptError, OSError)):
        workspaces.reconcile_now(source)
    shutil.move(data / "away", data / "repos" / "default.git")
    assert asked(application).json()["checks"] == {**GOOD, "sync": "error"}
    workspaces.reconcile_now(source)
    assert asked(application).json()["checks"] == GOOD


def test_one_bad_workspace_among_good_ones_degrades(application: Sidecar, data: Path) -> None:
    asyncio.run(application.context.workspaces.create("team"))
    assert asked(application).status_code == 200
    shutil.rmtree(data / "repos" / "team.git")
    assert asked(application).json()["checks"]["driver"] == "error"


def test_however_many_ask_one_look_is_taken_and_told_for_a_second(
    application: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_KEPT", 60.0)
    looks: list[str] = []
    driver = application.context.driver
    monkeypatch.setattr(driver, "check", lambda name, _repository: looks.append(name))

    async def story() -> list[int]:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            answers = await asyncio.gather(*(client.get("/health/deep") for _ in range(40)))
            answers.append(await client.get("/health/deep"))
            return [answer.status_code for answer in answers]

    assert set(asyncio.run(story())) == {200}
    assert looks == ["default"]


def test_a_repository_without_a_head_or_that_nobody_may_write_is_told(
    application: Sidecar, data: Path
) -> None:
    head = data / "repos" / "default.git" / "HEAD"
    before = head.read_text()
    for text in ("", "rubbish\n", "ref: somewhere\n"):
        head.write_text(text)
        assert asked(application).json()["checks"]["driver"] == "error"
    head.write_text(before)
    assert asked(application).json()["checks"]["driver"] == "ok"
    shutil.rmtree(data / "repos" / "default.git" / "objects")
    assert asked(application).json()["checks"]["driver"] == "error"


def test_a_full_disk_is_told(application: Sidecar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_SPACE", 1 << 62)
    assert asked(application).json()["checks"] == {**GOOD, "space": "error"}


def test_a_broken_index_is_told(application: Sidecar, data: Path) -> None:
    path = data / "index.db"
    journal = apsw.Connection(str(path))
    journal.set_busy_timeout(5_000)
    journal.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)  # or it would be read from there
    journal.close()
    path.write_bytes(b"\xff" * path.stat().st_size)
    answer = asked(application)
    assert answer.status_code == 503
    assert answer.json()["checks"]["index"] == "error"


def test_the_process_is_up_whatever_else_is_broken(application: Sidecar, data: Path) -> None:
    shutil.rmtree(data / "repos")
    answer = asked(application, "/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/health", "/health/deep"])
def test_health_can_be_asked_and_nothing_else(application: Sidecar, path: str) -> None:
    assert asked(application, path, "HEAD").status_code == 200
    refused = asked(application, path, "POST")
    assert (refused.status_code, refused.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert asked(application, f"{path}/").status_code == 404


class Stuck(Filesystem):
    """A driver whose origin does not answer until it is let go."""

    name = "stuck"
    release = threading.Event()

    def check(self, workspace: str, repository: Repository) -> None:
        self.release.wait(10)


def test_a_check_that_hangs_holds_up_no_answer(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "DRIVERS", {"stuck": lambda *_: Stuck()})
    monkeypatch.setattr(health, "_TIMEOUT", 0.25)

    async def story(application: Sidecar) -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            answer = await client.get("/health/deep")
        Stuck.release.set()  # otherwise the loop waits for its thread
        return answer

    with sidecar(ServerSettings(data=str(data), driver="stuck")) as application:
        answer = asyncio.run(story(application))
    assert answer.status_code == 503
    assert answer.json()["driverType"] == "stuck"
    assert answer.json()["checks"] == {**GOOD, "driver": "no answer within 0.25 seconds"}
