# SPDX-License-Identifier: Apache-2.0
"""An index, its writer and its reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitprompt.store.index.reader import IndexReader
from gitprompt.store.index.writer import IndexWriter


@pytest.fixture
def index(tmp_path: Path) -> Iterator[IndexWriter]:
    writer = IndexWriter(str(tmp_path / "index.db"))
    yield writer
    writer.close()


@pytest.fixture
def reader(index: IndexWriter) -> Iterator[IndexReader]:
    reader = IndexReader(index.path)
    yield reader
    reader.close()
