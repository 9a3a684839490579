# SPDX-License-Identifier: Apache-2.0
"""The house holds: small files, few rooms to a folder, names that are unique, SQL in the store
alone, and a test file for every module. DESIGN §5 and docs/architecture.md say why."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gitprompt"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = {
    "": 30,
    "cli": 30,
    "server/api": 18,
    "core": 15,
}  # more than the twelve of any other folder
# Folders of siblings that are strangers to each other have as many as there are.
FAMILIES = {
    "checks", "drivers", "gates", "store/engines", "server/facades", "store/tables", "transfer/importers", "transfer/file_formats",
}  # fmt: skip


def inside(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def length(path: Path) -> int:
    return len(path.read_text().splitlines())


@pytest.mark.parametrize("path", MODULES, ids=inside)
def test_every_module_says_what_it_is_and_fits_in_the_head(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0] == "# SPDX-License-Identifier: Apache-2.0"
    assert lines[1].startswith('"""')
    assert len(lines) <= 500


def test_the_house_is_built_of_small_files() -> None:
    sizes = sorted(length(path) for path in MODULES)
    assert sizes[len(sizes) // 2] <= 120
    assert sizes[int(len(sizes) * 0.9)] <= 300


def test_no_folder_has_more_rooms_than_a_head_holds() -> None:
    for folder in {path.parent for path in MODULES}:
        name = inside(folder).removeprefix(".")
        rooms = {path.name for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
        rooms = {room for room in rooms if not room.startswith("_") and room != "migrations"}
        if name not in FAMILIES:
            assert len(rooms) <= ROOMS.get(name, 12), (name, sorted(rooms))


def test_a_wing_has_an_empty_init() -> None:
    for wing in ("registry", "store", "store/index", "store/tables", "server", "server/http",
                 "server/api", "server/git", "server/ops", "server/listening", "server/ui", "cli"):  # fmt: skip
        (statement,) = ast.parse((PACKAGE / wing / "__init__.py").read_text()).body
        assert isinstance(statement, ast.Expr), f"{wing} has more than a sentence"


def test_a_class_has_its_name_alone() -> None:
    names = Counter(
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, number in names.items() if number > 1] == []


def test_sql_stands_in_the_store_alone() -> None:
    sql = re.compile(r"\b(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|= \?|>= \?)")
    for path in MODULES:
        if "store" not in path.relative_to(PACKAGE).parts:
            tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
            texts = [token.string for token in tokens if token.type == tokenize.STRING]
            assert not any(sql.search(text) for text in texts), path


def has_test(path: Path) -> bool:
    """Whether a module has a test file of its name: in its place, or for a family its contract."""
    folder, name = path.relative_to(PACKAGE).parent, path.stem
    if name == "__init__":
        folder, name = folder.parent, folder.name
    places = (ROOT / "tests" / folder, ROOT / "tests" / "contracts")
    return any((place / f"test_{name}.py").exists() for place in places)


def test_every_module_of_size_has_a_test_file_of_its_name() -> None:
    assert [inside(path) for path in MODULES if length(path) > 80 and not has_test(path)] == []
