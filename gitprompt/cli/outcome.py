# SPDX-License-Identifier: Apache-2.0
"""How a command ends: 0 fine, 1 findings or an expected failure, 2 usage, 3 our bug, 130 ^C."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable

from gitprompt.core.printable import printable_lines
from gitprompt.errors import GitpromptError

BUG = 3
INTERRUPTED = 130


def guarded(command: Callable[[], int]) -> int:
    """Run a command and turn whatever it raises into a message and an exit code."""
    _write_any_text()
    try:
        code = command()
        sys.stdout.flush()
        return code
    except GitpromptError as error:
        _tell(error.message)
        if error.hint:
            print(f"  {printable_lines(error.hint)}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            return _nobody_reads()
        where = f"{error.filename}: " if error.filename else ""
        _tell(f"{where}{error.strerror or error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OF_THE_SERVER:
            print(_bug(), file=sys.stderr)
            return BUG
        _tell(f"this command needs the server, which is not installed ({error.name} is missing)")
        print("  pip install 'gitprompt-registry[server]'", file=sys.stderr)
        return 1
    except Exception:  # a bug of ours: keep the evidence, and say where it is
        print(_bug(), file=sys.stderr)
        return BUG


# What the extra `server` installs.
_OF_THE_SERVER = frozenset(
    {
        "flask_swagger_ui", "google", "httptools", "msgspec", "opentelemetry", "ruamel", "starlette",
        "uvicorn", "uvloop",
    }
)  # fmt: skip


def _bug() -> str:
    return f"{_red('internal error:')} please report it with {_write_log()}"


_SUBSTITUTES = {"✓": "*", "→": "->", "·": "-", "…": "...", "–": "-", "’": "'", "“": '"', "”": '"'}


def _write_any_text() -> None:
    """A terminal or a log may have an encoding without our signs, and a path may be no text at all:
    what cannot be written is replaced, so that no command fails after it has done its work."""
    codecs.register_error("gitprompt", _substituted)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="gitprompt")


def _substituted(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    chars = error.object[error.start : error.end]
    return "".join(_SUBSTITUTES.get(char, "?") for char in chars), error.end


def _tell(message: str) -> None:
    print(f"{_red('error:')} {printable_lines(message)}", file=sys.stderr)


def _nobody_reads() -> int:
    """Whoever read us has enough; keep the interpreter from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _write_log() -> str:
    import tempfile
    import traceback

    from gitprompt import __version__

    with tempfile.NamedTemporaryFile(
        "w", prefix="gitprompt-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        file.write(f"gitprompt {__version__}\nPython {sys.version}\n")
        file.write(f"{sys.platform}, command {sys.argv[1:2]}\n\n{traceback.format_exc()}")
    return file.name


def use_color(stream: object) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(getattr(stream, "isatty", lambda: False)())


def _red(text: str) -> str:
    return f"\x1b[1;31m{text}\x1b[0m" if use_color(sys.stderr) else text
