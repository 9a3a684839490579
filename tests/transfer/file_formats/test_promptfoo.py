# SPDX-License-Identifier: Apache-2.0
"""promptfoo's configurations: prompts, and suites of their tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitprompt.transfer.file_formats.promptfoo import Promptfoo, lost, written
from gitprompt.transfer.foreign.prompt_files import Notes, NotSuch
from tests.transfer.file_formats.reading import read

CONFIG = """\
description: Translations
prompts:
  - 'Translate {{ text }} to {% if polite %}polite {% endif %}French'
  - {label: chat, raw: '[{"role": "system", "content": "You are {{ who }}"}, {"role": "assistant", "content": "so"}]'}
  - file://inside/more.txt
  - file://../outside.txt
  - file://run.py
providers: [openai:gpt-4o]
defaultTest: {threshold: 0.5}
tests:
  - description: short
    vars: {text: Hello}
    assert: [{type: contains, value: Bonjour}, {type: llm-rubric, value: is polite}]
"""


def test_prompts_files_beside_and_tests(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "more.txt").write_text("More of {{ text }}\n")
    (tmp_path.parent / "outside.txt").write_text("secret")
    path = str(tmp_path / "promptfooconfig.yaml")
    notes = Notes(path)
    found = Promptfoo().read(path, CONFIG, notes)
    assert [(name, document["messages"]) for name, document in found.prompts] == [
        (
            "-1",
            [
                {
                    "role": "user",
                    "content": "Translate {{text}} to {{#polite}}polite {{/polite}}French",
                }
            ],
        ),
        (
            "chat",
            [
                {"role": "system", "content": "You are {{who}}"},
                {"role": "assistant", "content": "so"},
            ],
        ),
        ("more", [{"role": "user", "content": "More of {{text}}"}]),
    ]
    assert [note.message for note in notes.notes if note.is_lost] == [
        "../outside.txt is outside of the folder: not read",
        "run.py would be run, or holds several: not imported",
    ]
    name, suite = found.suites[0]
    assert (name, suite["criteria"]["min_score"]) == ("-1", 0.5)
    assert suite["criteria"]["tests"][0]["assert"][0] == {"type": "contains", "value": "Bonjour"}
    assert len(found.suites) == 3


def test_it_is_known_by_its_name_or_its_keys() -> None:
    assert read("promptfooconfig.yaml", "prompts: [Hi]\n")[0] == "promptfoo"
    assert read("x.yaml", "prompts: [Hi]\nproviders: [a]\n")[0] == "promptfoo"
    assert not Promptfoo().is_one("x.yaml", "messages: []\n")
    with pytest.raises(NotSuch):
        Promptfoo().read("promptfooconfig.yaml", "prompts: []\n", Notes("x"))


TEXTS = (
    st.lists(st.sampled_from(["{{name}}", " ", "a", "\n", "%", "é", "#"]), max_size=6)
    .map("".join)
    .filter(
        lambda text: (
            text.strip() == text != ""
            and not any(mark in text for mark in ("{%", "{#", "}}%", "{{name}}{"))
        )
    )
)


@given(
    st.lists(
        st.builds(
            lambda role, text: {"role": role, "content": text},
            st.sampled_from(["system", "user"]),
            TEXTS,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_what_is_written_for_promptfoo_is_read_back(messages: list[dict[str, str]]) -> None:
    document = {
        "messages": messages,
        "model_config": {"model": "openai:gpt-4o"},
        "description": "D",
    }
    assert lost(document) == []
    found = Promptfoo().read("promptfooconfig.yaml", written("p", document), Notes("x"))
    assert found.prompts == [("p", {"messages": messages, "description": "D"})]


def test_what_is_left_out_is_told_and_lines_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("one\n---\n{{ x | upper }}\n")
    (tmp_path / "chat.yaml").write_text("- role: user\n  content: Hi {{ y }}\n")
    config = """\
prompts: [two.txt, chat.yaml, run.py, 7, {file: two.txt, label: again}]
providers: [x]
scenarios: [1]
tests: [file://t.yaml, {vars: {a: 1}, provider: z}]
"""
    path = str(tmp_path / "promptfooconfig.yaml")
    notes = Notes(path)
    found = Promptfoo().read(path, config, notes)
    assert [name for name, _ in found.prompts] == ["two-1", "two-2", "chat", "again-1", "again-2"]
    assert dict(found.prompts)["chat"]["messages"] == [{"role": "user", "content": "Hi {{y}}"}]
    told = [
        (Path(note.path).name, note.message.split(":")[0]) for note in notes.notes if note.is_lost
    ]
    assert told == [
        ("promptfooconfig.yaml", "run.py would be run, or holds several"), ("promptfooconfig.yaml", "a prompt that is int"),
        ("two.txt", "the filter upper"), ("two.txt", "the filter upper"), ("promptfooconfig.yaml", "scenarios"),
        ("promptfooconfig.yaml", "tests in file"), ("promptfooconfig.yaml", "provider of a test"),
    ]  # fmt: skip
    assert len(found.suites) == 5
