# SPDX-License-Identifier: Apache-2.0
"""A git service process: what it says, what it takes, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from gitprompt.git.repository import Repository
from gitprompt.server.git.rpc import Rpc
from tests.server.git.requests import packet, push_of
from tests.world import Clone, run

UPLOAD, RECEIVE = "upload-pack", "receive-pack"
Story = Callable[[Rpc], Awaitable[bytes]]


@pytest.fixture
def bare(tmp_path: Path) -> Clone:
    run("git", "init", "-q", "--bare", "-b", "main", "bare.git", cwd=tmp_path)
    return Clone(tmp_path / "bare.git")


def told(
    repository: Clone,
    service: str,
    story: Story,
    *,
    advertise: bool = False,
    protocol: str = "",
    max_bytes: int = 1_000_000,
    hooks: str | None = None,
) -> bytes:
    """What a story gets out of a process, which is closed at its end."""

    async def whole() -> bytes:
        rpc = await Rpc.start(
            Repository.open(str(repository.path)),
            service,
            advertise=advertise,
            protocol=protocol,
            max_bytes=max_bytes,
            hooks=hooks,
        )
        try:
            return await story(rpc)
        finally:
            await rpc.close()

    return asyncio.run(asyncio.wait_for(whole(), 20))


async def everything(rpc: Rpc) -> bytes:
    return await rpc.stdout.read()


def sending(body: bytes) -> Story:
    async def story(rpc: Rpc) -> bytes:
        await rpc.write(body)
        await rpc.close_stdin()
        return await rpc.stdout.read()

    return story


def test_an_advertisement_names_every_ref(published: Clone) -> None:
    said = told(published, UPLOAD, everything, advertise=True).decode()
    oid = published.git("rev-parse", "refs/tags/prompts/welcome/1.0.0")
    assert f"{oid} refs/tags/prompts/welcome/1.0.0\n" in said
    assert said.endswith("0000")


@pytest.mark.parametrize(
    ("protocol", "first"),
    [("version=2", packet("version 2\n")), ("version=1", packet("version 1\n"))],
)
def test_git_speaks_the_protocol_that_is_asked_for(
    published: Clone, protocol: str, first: bytes
) -> None:
    said = told(published, UPLOAD, everything, advertise=True, protocol=protocol)
    assert said.startswith(first)
    assert not told(published, UPLOAD, everything, advertise=True).startswith(first)


def test_what_is_written_reaches_git(published: Clone) -> None:
    oid = published.git("rev-parse", "HEAD")
    body = packet(f"want {oid}\n") + b"0000" + packet("done\n")
    assert told(published, UPLOAD, sending(body)).startswith(packet("NAK\n") + b"PACK")


@pytest.mark.parametrize(("body", "code"), [(b"0000", b"0"), (b"zzzz", b"128")])
def test_the_end_of_git_says_how_it_went(published: Clone, body: bytes, code: bytes) -> None:
    async def story(rpc: Rpc) -> bytes:
        await sending(body)(rpc)
        return str(await rpc.wait()).encode()

    assert told(published, UPLOAD, story) == code


def test_what_is_written_after_git_has_ended_is_dropped_in_silence(published: Clone) -> None:
    async def story(rpc: Rpc) -> bytes:
        rpc.terminate()
        await rpc.wait()
        for _ in range(3):
            await rpc.write(b"x" * 100_000)
        await rpc.close_stdin()
        await rpc.write(b"and more")
        return await rpc.stdout.read()

    assert told(published, UPLOAD, story) == b""


def test_closing_ends_a_process_that_waits_and_leaves_no_descriptor(published: Clone) -> None:
    repository = Repository.open(str(published.path))

    async def ended() -> int:
        rpc = await Rpc.start(
            repository, RECEIVE, advertise=False, protocol="", max_bytes=9, hooks="/nowhere"
        )
        await rpc.close()
        return await rpc.wait()

    async def left() -> int:
        await ended()  # what the loop and its threads keep is open after the first
        before = len(os.listdir("/proc/self/fd"))
        assert [await ended() for _ in range(3)] == [-signal.SIGTERM] * 3
        await asyncio.sleep(0.02)
        return len(os.listdir("/proc/self/fd")) - before

    assert uvloop.run(left()) == 0  # the loop of the server, which owns the descriptors


def test_only_a_push_has_a_channel_for_hooks(published: Clone) -> None:
    async def story(rpc: Rpc) -> bytes:
        await rpc.close_stdin()
        return b"" if rpc.channel is None else b"channel"

    assert told(published, UPLOAD, story) == b""
    assert told(published, RECEIVE, story, hooks=str(published.path)) == b"channel"


def test_git_moves_no_ref_where_the_folder_of_hooks_is_empty(
    bare: Clone, published: Clone, tmp_path: Path
) -> None:
    (tmp_path / "hooks").mkdir()
    body = push_of(published, "refs/heads/main")
    said = told(bare, RECEIVE, sending(body), hooks=str(tmp_path / "hooks"))
    assert b"ng refs/heads/main" in said
    assert bare.git("for-each-ref") == ""


def test_hooks_of_the_folder_see_both_ends_of_the_channel(
    bare: Clone, published: Clone, tmp_path: Path
) -> None:
    hook = tmp_path / "hooks" / "pre-receive"
    hook.parent.mkdir()
    hook.write_text(
        f"#!/bin/sh\nls /dev/fd/$GITPROMPT_ASK /dev/fd/$GITPROMPT_ANSWER >{tmp_path}/seen\nexit 1\n"
    )
    hook.chmod(0o755)
    body = push_of(published, "refs/heads/main")
    said = told(bare, RECEIVE, sending(body), hooks=str(hook.parent))
    assert b"pre-receive hook declined" in said
    assert len((tmp_path / "seen").read_text().split()) == 2


def test_a_pack_that_is_too_large_is_not_unpacked(
    bare: Clone, published: Clone, tmp_path: Path
) -> None:
    body = push_of(published, "refs/heads/main")
    said = told(bare, RECEIVE, sending(body), hooks=str(tmp_path), max_bytes=50)
    assert b"unpack unpack-objects abnormal exit" in said
    assert bare.git("count-objects").startswith("0 objects")
