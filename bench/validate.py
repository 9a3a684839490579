# SPDX-License-Identifier: Apache-2.0
"""`gitprompt validate` against `check-jsonschema` on the same files with the same schema.

python bench/validate.py [--rounds 9]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial

import measure
import yaml

from gitprompt import resources

TARGETS = {1: 4.0, 10: 4.0, 1000: 10.0}


# An installed package has its bytecode; a checkout keeps it only where Python may write it.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def timed(command: list[str], folder: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=ENVIRONMENT)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    binaries = os.path.dirname(sys.executable)
    rows = []
    for count, target in TARGETS.items():
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "prompts"))
            paths = []
            for number in range(count):
                name = f"prompt-{number}"
                value = yaml.safe_load(measure.document(name, number))
                paths.append(f"prompts/{name}.yaml")
                with open(os.path.join(folder, paths[-1]), "w", encoding="utf-8") as file:
                    yaml.safe_dump(value, file, sort_keys=False)
            ours = [os.path.join(binaries, "gitprompt"), "validate", *paths]
            schema = resources.path("schemas", "prompt.schema.json")
            theirs = [os.path.join(binaries, "check-jsonschema"), "--schemafile", schema, *paths]
            rounds = options.rounds if count < 100 else max(3, options.rounds // 3)
            a, b = measure.median_of(
                rounds, partial(timed, ours, folder), partial(timed, theirs, folder)
            )
            rows.append(
                (f"{count:,}", f"{a * 1e3:.0f}", f"{b * 1e3:.0f}",
                 measure.verdict(b / a, target, at_most=False))
            )  # fmt: skip
    measure.table(
        "gitprompt validate against check-jsonschema, YAML",
        ("files", "gitprompt ms", "check-jsonschema ms", "times faster"),
        rows,
    )


if __name__ == "__main__":
    main()
