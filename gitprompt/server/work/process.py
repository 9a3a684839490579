# SPDX-License-Identifier: Apache-2.0
"""The server's hold on a process that works: it is asked, waited for, and killed with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

from gitprompt.errors import Unavailable
from gitprompt.git.process import environment

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2].split('\\n');"
    "from gitprompt.server.work.child import main; main()"
)


class WorkerProcess:
    """One process. Its group has the git processes that it starts."""

    def __init__(self, memory: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(memory), "\n".join(sys.path)],
            env=environment(inherit=False),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def is_gone(self) -> bool:
        return self._process.poll() is not None

    def ask(self, task: str, asked: bytes, seconds: float, *, what: str) -> bytes:
        """The answer to a question, both JSON in one line. Raises Unavailable after so many seconds, or if
        it was killed; `what` it does is then told."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        line = b""
        try:
            with suppress(BrokenPipeError, ValueError):  # of a pipe that `kill` has closed
                self._process.stdin.write(b"%s %s\n" % (task.encode(), asked))
                self._process.stdin.flush()
                line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            self.kill()
            if late.is_set():
                raise Unavailable(f"{what} takes more than {seconds:g} s")
            raise Unavailable(f"{what} was given up, or takes too much")
        return line

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
