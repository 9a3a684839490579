# SPDX-License-Identifier: Apache-2.0
"""Is what would be released fit for it? `make release-check` runs this; what it made stays in dist/.

1. sdist and wheel are built twice, from two clones: their bytes are the same.
2. Their metadata is what the package index accepts (twine).
3. Each is installed with the server in an empty environment, where the demo checks itself.
4. What came with it is listed (CycloneDX), and every licence is one that we may ship beside ours.
5. Download and install stay below DOWNLOAD and INSTALLED.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
CONSTRAINTS = ROOT / "constraints.txt"
TOOLS = Path(sys.executable).parent  # build, twine, cyclonedx-py
EXTRA = "server"

DOWNLOAD = 40_000_000  # bytes of the wheels of an install with the server
INSTALLED = 115_000_000  # bytes of their files, as they are in the wheels

FREE = re.compile(
    r"(0BSD|Apache-2\.0|BSD-[23]-Clause|ISC|MIT|MIT-0|MPL-2\.0|PSF-2\.0"
    r"|License :: OSI Approved :: (Apache Software|BSD|ISC|MIT|Mozilla Public) License.*)\Z"
)
# What says its licence in words of its own, which have to stay those words.
IN_WORDS = {
    "apsw": "any-OSI",
    "protobuf": "3-Clause BSD License",
    "pygit2": "GPLv2 with linking exception",
}


def run(*command: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    process = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command))}\n{process.stdout}")
    return process.stdout


def passed(what: str) -> None:
    print(f"✓ {what}", flush=True)


def built(folder: Path) -> dict[str, str]:
    """The sha256 of each file that a clone of what is committed builds, by its name."""
    run("git", "clone", "--quiet", "--no-local", ROOT, folder / "clone")
    seconds = run("git", "log", "-1", "--format=%ct", cwd=folder / "clone").strip()
    env = {**os.environ, "SOURCE_DATE_EPOCH": seconds}
    out = folder / "dist"
    run(TOOLS / "python", "-m", "build", "--outdir", out, folder / "clone", env=env)
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())
    }


def build(folder: Path) -> list[Path]:
    first, second = folder / "first", folder / "another-path"
    first.mkdir()
    second.mkdir()
    umask = os.umask(0o077)
    sums = built(first)
    os.umask(umask)
    again = built(second)
    if sums != again:
        sys.exit(f"error: two builds differ\n{json.dumps([sums, again], indent=2)}")
    for name, digest in sums.items():
        passed(f"{name} is built twice with the sha256 {digest}")
    DIST.mkdir(exist_ok=True)
    return [Path(shutil.copy(second / "dist" / name, DIST / name)) for name in sums]


def install(file: Path, folder: Path) -> Path:
    """An environment with a distribution and the server, in which the demo has checked itself."""
    run(sys.executable, "-m", "venv", folder)
    pip = folder / "bin" / "pip"
    run(pip, "install", "--quiet", "--constraint", CONSTRAINTS, f"{file}[{EXTRA}]")
    run(pip, "check")
    home = folder / "home"
    home.mkdir()
    alone = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home)}
    output = run(folder / "bin" / "gitprompt", "demo", "--check", cwd=home, env=alone)
    if "Everything works." not in output:
        sys.exit(f"error: the demo of {file.name} says\n{output}")
    passed(f"{file.name} is installed, and its demo works")
    return folder


def licences(component: Mapping[str, Any]) -> Iterator[str]:
    for one in component.get("licenses", ()):
        yield one.get("expression") or one["license"].get("id") or one["license"]["name"]


def is_free(licence: str) -> bool:
    return all(FREE.match(part) for part in re.split(r" (?:AND|OR) ", licence))


def bill_of_materials(environment: Path, file: Path) -> None:
    run(environment / "bin" / "pip", "uninstall", "--yes", "--quiet", "setuptools")
    run(
        TOOLS / "cyclonedx-py", "environment", "--output-reproducible", "--pyproject",
        ROOT / "pyproject.toml", "--output-file", file, environment,
    )  # fmt: skip
    components = json.loads(file.read_text())["components"]
    wrong = []
    for component in components:
        names = list(licences(component))
        words = IN_WORDS.get(component["name"])
        if words is not None:
            (metadata,) = environment.glob(f"lib/*/site-packages/{component['name']}-*/METADATA")
            names = [words] if f"\nLicense: {words}" in metadata.read_text() else []
        if not names or not (words or all(map(is_free, names))):
            wrong.append(f"{component['name']}: {', '.join(names) or 'no licence'}")
    if wrong:
        sys.exit("error: may these be shipped? " + "; ".join(wrong))
    passed(f"{file.name}: {len(components)} components, each with a licence that may be shipped")


def weigh(file: Path, environment: Path, folder: Path) -> None:
    """Print what an install is made of, and hold it against its bounds."""
    pip = environment / "bin" / "pip"
    wanted = f"{file}[{EXTRA}]"
    run(pip, "download", "--quiet", "--constraint", CONSTRAINTS, "--dest", folder, wanted)
    download = sum(path.stat().st_size for path in folder.iterdir())
    (packages,) = environment.glob("lib/*/site-packages")
    sizes: dict[str, int] = {}
    for path in packages.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            name = path.relative_to(packages).parts[0].partition(".")[0]
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    for tool in ("pip", "setuptools", "pkg_resources", "_distutils_hack"):
        sizes.pop(tool, None)
    installed = sum(sizes.values())
    print(f"\n{'what is installed':24} {'MB':>6}")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:12]:
        print(f"{name:24} {size / 1e6:6.1f}")
    print(f"{'all':24} {installed / 1e6:6.1f}\n{'as wheels':24} {download / 1e6:6.1f}\n")
    for what, size, bound in (
        ("the download", download, DOWNLOAD),
        ("the install", installed, INSTALLED),
    ):
        if size > bound:
            sys.exit(f"error: {what} takes {size:,} bytes, and may take {bound:,}")
    passed(f"the install takes {installed / 1e6:.0f} MB, its wheels {download / 1e6:.0f}")


def main(arguments: Sequence[str]) -> None:
    if arguments:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="release-") as scratch:
        folder = Path(scratch)
        files = build(folder)
        run(TOOLS / "twine", "check", "--strict", *files)
        passed("the metadata is what the package index accepts")
        environments = {file: install(file, folder / file.suffix[1:]) for file in files}
        (wheel,) = (file for file in files if file.suffix == ".whl")
        bill_of_materials(environments[wheel], DIST / f"{wheel.name.partition('-py3')[0]}.cdx.json")
        (folder / "wheels").mkdir()
        weigh(wheel, environments[wheel], folder / "wheels")


if __name__ == "__main__":
    main(sys.argv[1:])
