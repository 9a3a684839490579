# SPDX-License-Identifier: Apache-2.0
"""What a person and a program see of a command: on a terminal, which is a real one here, and in a
pipe."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest
from click import unstyle

from gitprompt.cli.output import (
    Styled,
    done,
    progress,
    say,
    when,
    write_json,
    write_lines,
    write_table,
)
from tests.world import WELCOME, Clone

COLUMNS = ("prompt", "newest")


@contextmanager
def terminal() -> Iterator[Callable[[], str]]:
    """Both output streams are a terminal; the call gives what was written to it."""
    master, slave = os.openpty()
    with open(slave, "w", encoding="utf-8") as stream, open(master, "rb", buffering=0) as screen:

        def written() -> str:
            stream.write("\x00")  # a terminal hands on what it was told piece by piece: up to here
            stream.flush()
            shown = b""
            while not shown.endswith(b"\x00"):
                shown += screen.read(1 << 16)
            return shown[:-1].decode().replace("\r\n", "\n")

        with redirect_stdout(stream), redirect_stderr(stream):
            yield written


def test_a_line_stays_one_line_on_its_stream(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\nb", Styled("\tc", fg="red"), "d\u2028e", err=True)
    assert capsys.readouterr() == ("", "a\\nb\\tcd\\u2028e\n")


def test_colours_are_for_a_terminal_only() -> None:
    with terminal() as written:
        say(Styled("red", fg="red"), " plain ", Styled("loud", bold=True, reverse=True))
        assert written() == "\x1b[31mred\x1b[0m plain \x1b[1m\x1b[7mloud\x1b[0m\n"


def test_a_pipe_gets_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    done("stored")
    say(Styled("red", fg="red", bold=True))
    assert capsys.readouterr().out == "✓ stored\nred\n"


def test_a_styled_piece_has_no_sequences_of_its_own() -> None:
    with terminal() as written:
        say(Styled("\x1b[2J\x9b1m", fg="green"))
        assert written() == "\x1b[32m\\x1b[2J\\x9b1m\x1b[0m\n"


def test_a_document_keeps_its_lines_and_tabs_alone(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines("a:\n\tb\r\x1b[1A\n")
    assert capsys.readouterr().out == "a:\n\tb\\r\\x1b[1A\n\n"


def test_json_is_readable_harmless_and_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"Grüße": ["世界", "\x1b[2J", "\u202e", "\ud800", None, 0.5]}
    write_json(value)
    text = capsys.readouterr().out
    assert json.loads(text) == value
    assert ("Grüße" in text, "世界" in text, "\u202e" in text) == (True, True, False)


def test_a_cell_in_a_pipe_cannot_forge_another(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a\tb", "1.0.0\nforged\t9.9.9"), ("[bold]c[/bold]", "")]
    write_table(COLUMNS, rows, empty="No prompts yet.")
    assert capsys.readouterr().out == "a\\tb\t1.0.0\\nforged\\t9.9.9\n[bold]c[/bold]\t\n"


def test_an_empty_table_is_nothing_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(COLUMNS, [], empty="No prompts yet.")
    assert capsys.readouterr().out == ""


def test_a_person_gets_a_head_and_cells_as_they_are() -> None:
    with terminal() as written:
        write_table(
            COLUMNS, [("[red]a[/red]", "1.0.0"), ("b\x1b[2J", "2")], empty="No prompts yet."
        )
        lines = [line.split() for line in unstyle(written()).splitlines()]
        assert [line for line in lines if line and set(line[0]) != {"─"}] == [
            ["prompt", "newest"],
            ["[red]a[/red]", "1.0.0"],
            ["b\\x1b[2J", "2"],
        ]


def test_a_person_reads_why_a_table_is_empty() -> None:
    with terminal() as written:
        write_table(COLUMNS, [], empty="No prompts yet.")
        assert written() == "No prompts yet.\n"


def test_a_bar_is_shown_on_a_terminal_and_is_gone_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with terminal() as written:
        with progress("importing", 4) as step:
            step(4)
        shown = written()
        assert ("importing" in unstyle(shown), "4/4" in unstyle(shown)) == (True, True)
        assert shown.rstrip("\n").endswith("\x1b[2K")  # the line is erased


def test_no_bar_goes_into_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("importing", 0) as step:
        step(1)
    assert capsys.readouterr() == ("", "")


def test_times_are_utc_wherever_the_reader_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert (when(0), when(1_700_000_059)) == ("1970-01-01 00:00", "2023-11-14 22:14")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_a_terminal_without_our_signs_gets_others(published: Clone, encoding: str) -> None:
    env = {"PYTHONIOENCODING": encoding}
    published.commit("Next", welcome=WELCOME.replace("Hello", "Grüße →"))
    assert published.gitprompt("publish", "welcome", "--bump", "minor", env=env).startswith(
        "* welcome"
    )
    published.gitprompt("label", "set", "welcome", "production", "1.1.0", env=env)
    assert "none -> 1.1.0" in published.gitprompt("label", "log", "welcome", "production", env=env)
    shown = json.loads(published.gitprompt("show", "welcome", "--json", env=env))
    assert shown["messages"][0]["content"] == "Grüße → {{name}}!", "JSON has escapes"


@pytest.mark.parametrize("width", [40, 80])
def test_a_table_breaks_no_version_however_narrow_the_screen_is(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    labels = "production=10.20.30-rc.1 staging=10.20.31-rc.12"
    rows = [("support/" + "a-long-name-" * 8, "10.20.31-rc.12 (not pushed)", labels)]
    with terminal() as written:
        write_table(("prompt", "newest", "labels"), rows, empty="")
        words = unstyle(written()).split()
        assert {"production=10.20.30-rc.1", "staging=10.20.31-rc.12", "10.20.31-rc.12"} <= {*words}
        assert "".join(word for word in words if word.strip("─")).count("long-name") >= 1


def test_help_lists_commands_in_whole_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    from gitprompt.cli.main import run_cli

    for group in ((), ("label",), ("keys",)):
        run_cli([*group, "--help"])
        said = capsys.readouterr().out
        assert "..." not in said.partition("Commands:")[2], said
