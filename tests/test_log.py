# SPDX-License-Identifier: Apache-2.0
"""Logs: one line for each event, whatever a stranger put into it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from gitprompt import log


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    handlers, level = log.logger.handlers[:], log.logger.level
    yield
    log.logger.handlers[:], log.logger.propagate = handlers, True
    log.logger.setLevel(level)


def test_text_is_one_line_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "text")
    log.info("synced", workspace="a b", ref="x\nforged", number=3)
    log.event(10, "too quiet")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r'synced workspace="a b" ref="x\nforged" number=3')


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning", "json")
    log.info("too quiet")
    try:
        raise ValueError("boom")
    except ValueError:
        log.error("broken", exc_info=True, path="/x")
    (line,) = capsys.readouterr().err.splitlines()
    value = json.loads(line)
    assert (value["level"], value["message"], value["path"]) == ("error", "broken", "/x")
    assert "ValueError: boom" in value["exception"]
