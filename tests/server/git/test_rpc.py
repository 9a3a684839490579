# SPDX-License-Identifier: Apache-2.0
"""A git service process: what it says, what it takes, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import signal
import subprocess
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from gitprompt.errors import Unavailable
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
    memory: int = 2_000_000_000,
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
            memory=memory,
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
            repository, RECEIVE, advertise=False, protocol="", max_bytes=9, hooks="/nowhere",
            memory=2_000_000_000,
        )  # fmt: skip
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


def bomb(copies: int) -> bytes:
    """A push of a pack of some hundred bytes, whose only blob is `copies` times 64 KB."""

    def size(number: int) -> bytes:
        return bytes([number & 127 | 128]) + size(number >> 7) if number > 127 else bytes([number])

    def head(kind: int, number: int) -> bytes:
        more = number > 15
        return bytes([kind << 4 | number & 15 | more << 7]) + (size(number >> 4) if more else b"")

    base = b"x" * 0xFFFF
    delta = size(len(base)) + size(len(base) * copies) + b"\xb0\xff\xff" * copies
    name = hashlib.sha1(b"blob %d\0%b" % (len(base), base)).digest()
    pack = b"PACK" + (2).to_bytes(4, "big") * 2 + head(3, len(base)) + zlib.compress(base)
    pack += head(7, len(delta)) + name + zlib.compress(delta, 9)
    command = f"{'0' * 40} {'1' * 40} refs/heads/x\0report-status\n".encode()
    line = b"%04x%b" % (len(command) + 4, command)
    return line + b"0000" + pack + hashlib.sha1(pack).digest()


def test_git_takes_no_more_memory_than_it_may_whatever_a_pack_says(
    bare: Clone, tmp_path: Path
) -> None:
    body = bomb(12_000)  # 786 MB
    assert len(body) < 2_000
    said = told(bare, RECEIVE, sending(body), hooks=str(tmp_path), memory=600_000_000)
    assert b"unpack unpack-objects abnormal exit" in said


def test_a_git_that_is_gone_is_503_and_leaves_no_descriptor(
    bare: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def nothing(_rpc: Rpc) -> bytes:
        return b""

    told(bare, RECEIVE, nothing, hooks=str(tmp_path))
    before = descriptors()

    def refused(*_args: object, **_more: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(subprocess, "Popen", refused)
    repository = Repository(str(bare.path), str(bare.path), None, dict(os.environ))

    async def started() -> None:
        await Rpc.start(
            repository, RECEIVE, advertise=False, protocol="", max_bytes=9, hooks=str(tmp_path),
            memory=600_000_000,
        )  # fmt: skip

    for _ in range(3):
        with pytest.raises(Unavailable, match="git cannot be started: Too many open files"):
            asyncio.run(started())
    assert descriptors() == before
