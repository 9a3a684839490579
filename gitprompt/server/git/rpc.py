# SPDX-License-Identifier: Apache-2.0
"""A git service process with asyncio pipes, and the channel of its hooks if it is a push."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import suppress
from typing import IO, Self

from gitprompt.errors import Unavailable
from gitprompt.git.process import git_path
from gitprompt.git.repository import Repository
from gitprompt.server.git.hook_channel import HookChannel

_GRACE = 1.0  # seconds for git to end by itself
# In the shell's own process: what it limits, and then is, needs no other.
_WITHIN = ("/bin/sh", "-c", 'ulimit -v "$0" && exec "$@"')
NOT_FOUND = (126, 127)  # how a shell ends that cannot start its command


class Rpc:
    """One git service process with asyncio pipes."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stdin: asyncio.StreamWriter,
        stdout: asyncio.StreamReader,
        channel: HookChannel | None,
    ) -> None:
        self._process = process
        self._stdin = stdin
        self.stdout = stdout
        self.channel = channel

    @classmethod
    async def start(
        cls,
        repository: Repository,
        service: str,
        *,
        advertise: bool,
        protocol: str,
        max_bytes: int,
        hooks: str | None,
        memory: int,
    ) -> Self:
        """`hooks` is the folder of a push's hooks; None if there will be no push. `memory` is the address
        space, in bytes, that git may take. Raises Unavailable if it cannot be started."""
        # A pack is looked at through windows: its size is not what git's memory is bounded by.
        command = [git_path(), "-c", f"receive.maxInputSize={max_bytes}",
                   "-c", "core.packedGitWindowSize=32m", "-c", "core.packedGitLimit=512m"]  # fmt: skip
        if hooks is not None:
            # With the second, git moves no ref unless the hook proc-receive says so.
            command += ["-c", f"core.hooksPath={hooks}", "-c", "receive.procReceiveRefs=refs"]
        command += [service, "--stateless-rpc"]
        if advertise:
            command.append("--advertise-refs")
        env = repository.environment
        if protocol:
            env["GIT_PROTOCOL"] = protocol
        channel: HookChannel | None = None
        try:
            if hooks is not None:
                channel = HookChannel()
                env.update(channel.environment)
            # A thread and the standard library: uvloop forks, which is slow in a large process.
            process = await asyncio.to_thread(
                subprocess.Popen,
                [*_WITHIN, str(memory // 1024), *command, repository.git_dir],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=channel.theirs if channel else (),
            )
        except OSError as error:
            if channel is not None:
                channel.close()
            raise Unavailable(f"git cannot be started: {error.strerror}") from error
        finally:
            if channel is not None:
                channel.release()
        return cls(process, *await _pipes(process), channel)

    async def write(self, data: bytes) -> None:
        """To git's standard input; silent if git has ended, whose output then says why."""
        if data and not self._stdin.is_closing():
            with suppress(BrokenPipeError, ConnectionResetError):
                self._stdin.write(data)
                await self._stdin.drain()

    async def close_stdin(self) -> None:
        self._stdin.close()

    def terminate(self) -> None:
        self._process.terminate()

    async def wait(self) -> int:
        return await asyncio.to_thread(self._process.wait)

    async def close(self) -> None:
        """End the process if it has not ended, and let go of every pipe."""
        self._stdin.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                await asyncio.to_thread(self._process.wait, _GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                await self.wait()
        if self.channel is not None:
            self.channel.close()
        transport = getattr(self.stdout, "_transport", None)
        if transport is not None:
            transport.close()


class _Descriptor:
    """A file descriptor for uvloop to own. It closes the descriptor and the file object both; with
    a real file the second close would hit whatever got the number meanwhile in another thread."""

    def __init__(self, file: IO[bytes]) -> None:
        self._fd = os.dup(file.fileno())
        file.close()

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        """libuv has closed it already."""


async def _pipes(
    process: subprocess.Popen[bytes],
) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    assert process.stdin is not None
    assert process.stdout is not None
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    stdin, stdout = _Descriptor(process.stdin), _Descriptor(process.stdout)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), stdout)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, stdin)
    return asyncio.StreamWriter(transport, protocol, None, loop), reader
