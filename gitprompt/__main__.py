# SPDX-License-Identifier: Apache-2.0
"""The command `gitprompt`. What hooks run is dispatched before click is imported (36 ms)."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    from gitprompt.cli.outcome import guarded

    arguments = sys.argv[1:]
    is_plain = not any(arg[:1] == "-" for arg in arguments[1:])
    # `config`, which else reads the environment, takes 5 ms to import.
    if arguments[:1] == ["validate"] and is_plain and not os.environ.get("GITPROMPT_ROOT"):  # noqa: TID251
        gc.disable()  # a short life that makes no cycles: 5 ms less
        from gitprompt.cli.checking.examination import Request
        from gitprompt.cli.checking.validation import validate

        code = guarded(lambda: validate(Request(paths=tuple(arguments[1:]))))
        sys.stderr.flush()
        os._exit(code)  # what there is to flush is flushed; taking modules apart takes 4 ms
    if arguments[:1] == ["hook"]:
        from gitprompt.cli.hook import run

        sys.exit(guarded(lambda: run(arguments[1:])))
    from gitprompt.cli.main import run_cli

    sys.exit(guarded(lambda: run_cli(arguments)))


if __name__ == "__main__":
    main()
