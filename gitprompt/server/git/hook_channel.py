# SPDX-License-Identifier: Apache-2.0
"""The two pipes over which the hooks of a push ask us, and what they are answered.

The hooks inherit both pipes, and no interpreter starts for a push. pre-receive writes the
quarantine's location and the refs, and reads our lines and then "ok" or "no". Git takes a
pre-receive hook that is missing for consent; so proc-receive asks once more before refs move, and
git refuses a push for which that hook is missing (ADR 10).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import IO

from gitprompt import log
from gitprompt.core.printable import printable
from gitprompt.errors import GitpromptError, PayloadTooLarge
from gitprompt.git.refs import RefUpdate
from gitprompt.git.repository import Repository
from gitprompt.registry import push_rules

# What the author of a push reads of its refusal, nothing if it may go in. The repository sees the
# objects of the push.
Judge = Callable[[Repository, Sequence[RefUpdate]], list[str]]
# Reads a hook's question and writes the answer; gives the updates that may go on, if any.
Answer = Callable[[IO[bytes], IO[bytes]], list[RefUpdate] | None]

_FIRST_FD = 200  # numbers that no library of the server has taken, nor a shell uses itself
_MAX_QUESTION = 64 << 20
_MOVE = "move"  # what proc-receive asks: may refs move?
_PIPE = 16_000  # bytes that any pipe takes at once


class HookChannel:
    """`ask` is read and `reply` written here; the hook has the other ends."""

    def __init__(self) -> None:
        self.ask = self.reply = -1
        self.theirs: tuple[int, ...] = ()
        try:
            self.ask, hook_ask = os.pipe()
            self.theirs = (_moved_up(hook_ask),)
            hook_reply, self.reply = os.pipe()
            self.theirs = (*self.theirs, _moved_up(hook_reply))
        except OSError:
            self.release()
            self.close()
            raise

    @property
    def environment(self) -> dict[str, str]:
        return {
            "GITPROMPT_ASK": str(self.theirs[0]),
            "GITPROMPT_ANSWER": str(self.theirs[1]),
        }

    def release(self) -> None:
        """Close the hook's ends in this process, so that we see when the hook is gone."""
        theirs, self.theirs = self.theirs, ()
        for fd in theirs:
            os.close(fd)

    def close(self) -> None:
        for fd in (self.ask, self.reply):
            if fd >= 0:
                os.close(fd)
        self.ask = self.reply = -1

    async def answer(
        self, repository: Repository, judge: Judge, threads: Executor | None = None
    ) -> None:
        """Answer both hooks of a push: what pre-receive asks is judged, in one of the threads and before
        git moves a ref; proc-receive gets what was judged."""
        verdict = await self._next(partial(_verdict, repository=repository, judge=judge), threads)
        if verdict is not None:
            await self._next(partial(_consent, updates=verdict), threads)

    async def _next(self, answer: Answer, threads: Executor | None) -> list[RefUpdate] | None:
        """Wait for a hook's question without holding a thread, then answer it in one."""
        loop = asyncio.get_running_loop()
        question = asyncio.Event()
        loop.add_reader(self.ask, question.set)
        try:
            await question.wait()
        finally:
            loop.remove_reader(self.ask)
        # Descriptors of its own: a cancelled push closes ours while the thread still works.
        pipes = os.dup(self.ask), os.dup(self.reply)
        return await asyncio.shield(loop.run_in_executor(threads, _converse, pipes, answer))


def _moved_up(fd: int) -> int:
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD, _FIRST_FD)
    finally:
        os.close(fd)


def _converse(pipes: tuple[int, int], answer: Answer) -> list[RefUpdate] | None:
    os.set_blocking(pipes[0], True)  # the loop's poll has made it non-blocking
    try:
        with open(pipes[0], "rb") as question, open(pipes[1], "wb") as lines:
            return answer(question, lines)
    except BrokenPipeError:  # the hook is gone, and with it the push
        return None


def _verdict(
    question: IO[bytes], answer: IO[bytes], *, repository: Repository, judge: Judge
) -> list[RefUpdate] | None:
    """Judge what pre-receive asks. The updates that may go in, None if the push may not."""
    updates: list[RefUpdate] = []
    try:
        lines = _read(question)
        if lines is None:
            return None  # git ended without asking: there was nothing to judge
        if lines == [_MOVE]:
            log.error("a push came to its end without its pre-receive hook, and was refused")
            refused = ["no"]
        else:
            quarantined, updates = _parse(repository, lines)
            refused = judge(quarantined, updates)
    except GitpromptError as error:
        refused = [printable(f"gitprompt: {error.message}")]
    except Exception:  # a bug of ours must refuse the push, and say so, not hang it
        log.error("judging a push failed", exc_info=True)
        refused = ["gitprompt: the push could not be judged; see the server's log"]
    _write(answer, [*refused, "no" if refused else "ok"])
    return None if refused else updates


def _consent(
    question: IO[bytes], answer: IO[bytes], *, updates: Sequence[RefUpdate]
) -> list[RefUpdate] | None:
    """Tell proc-receive, in git's words (gitprotocol-pack, "proc-receive"), to let git go on as it
    would without that hook. Git takes no ref that is not named."""
    if _read(question) != [_MOVE]:
        return None
    parts = [_packet("version=1"), "0000"]
    for update in updates:
        parts += [_packet(f"ok {update.ref}"), _packet("option fall-through")]
    report = "".join((*parts, "0000"))
    # Git writes the commands before it reads, and a pipe that nobody empties would stop it.
    drain = ["drain"] if len(report) > _PIPE else []
    _write(answer, [*drain, report, "ok"])
    return None


def _packet(text: str) -> str:
    line = f"{text}\n"
    return f"{len(os.fsencode(line)) + 4:04x}{line}"


def _read(question: IO[bytes]) -> list[str] | None:
    """The lines of a question, without its end; None if there is none. Raises PayloadTooLarge."""
    lines: list[str] = []
    size = 0
    for raw in question:
        size += len(raw)
        if size > _MAX_QUESTION:
            raise PayloadTooLarge("too many refs in one push")
        line = os.fsdecode(raw).rstrip("\n")
        if line == "end":
            return lines
        lines.append(line)
    return None


def _write(answer: IO[bytes], lines: Sequence[str]) -> None:
    answer.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    answer.flush()


def _parse(repository: Repository, lines: list[str]) -> tuple[Repository, list[RefUpdate]]:
    """The repository with what is in quarantine, and the updates that pre-receive asks about."""
    objects, alternates, *refs = lines
    quarantine = {
        "GIT_OBJECT_DIRECTORY": objects,
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates,
    }
    # A push that only deletes brings no objects, and has no quarantine.
    quarantined = repository.quarantined({key: value for key, value in quarantine.items() if value})
    return quarantined, push_rules.parse_updates("\n".join(refs))
