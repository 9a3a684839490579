# SPDX-License-Identifier: Apache-2.0
"""Findings as programs read them: nothing in a finding adds to what a report says."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from gitprompt.checks import SEVERITIES
from gitprompt.cli.checking.examination import Report
from gitprompt.cli.checking.reports import write
from gitprompt.core.model import Finding

ERROR = Finding("template", "error", "never closed", "Add }}", "prompts/a.yaml", 3, 17)
WARNING = Finding("unused-variable", "warning", "spare is unused", "", "prompts/b.yaml")


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Any:
    """What a report of findings is in a style."""

    def text(style: str, *findings: Finding) -> str:
        write(Report(2, list(findings), os.getcwd()), style)
        return capsys.readouterr().out

    return text


def first(text: str) -> Any:
    return json.loads(text)["findings"][0]


def result(text: str) -> Any:
    """The only result of a SARIF log."""
    (only,) = json.loads(text)["runs"][0]["results"]
    return only


def test_json_counts_by_severity_and_keeps_the_order(written: Any) -> None:
    value = json.loads(written("json", WARNING, ERROR, WARNING))
    assert (value["files"], value["errors"], value["warnings"]) == (2, 1, 2)
    assert [Finding(**finding) for finding in value["findings"]] == [WARNING, ERROR, WARNING]


@pytest.mark.parametrize("style", ["json", "sarif"])
def test_text_that_steers_a_terminal_is_the_same_text_for_a_program(
    written: Any, style: str
) -> None:
    hostile = "世界 \x1b[2J\u202e\nforged"
    text = written(style, ERROR._replace(message=hostile, hint=""))
    message = result(text)["message"]["text"] if style == "sarif" else first(text)["message"]
    assert message == hostile
    assert ("\x1b" in text, "\u202e" in text, "世界" in text) == (False, False, True)


def test_an_annotation_has_the_hint_in_its_own_line(written: Any) -> None:
    assert written("github", ERROR, WARNING).splitlines() == [
        "::error file=prompts/a.yaml,line=3,col=17,title=gitprompt template::never closed%0AAdd }}",
        "::warning file=prompts/b.yaml,title=gitprompt unused-variable::spare is unused",
    ]


@pytest.mark.parametrize(
    ("message", "escaped"),
    [
        ("a\n::error file=x::forged", "a%0A::error file=x::forged"),
        ("a\r::set-output name=x::y", "a\\r::set-output name=x::y"),
        ("100%0A::stop", "100%250A::stop"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_a_message_cannot_become_a_second_workflow_command(
    written: Any, message: str, escaped: str
) -> None:
    text = written("github", WARNING._replace(message=message))
    assert text.partition("::warning ")[2].partition("::")[2] == f"{escaped}\n"


def test_a_path_cannot_become_a_second_property(written: Any) -> None:
    text = written("github", WARNING._replace(path="a,line=9:b%2C\nc.yaml"))
    assert text.startswith("::warning file=a%2Cline=9%3Ab%252C%0Ac.yaml,title=gitprompt ")


def test_a_report_without_findings_annotates_nothing(written: Any) -> None:
    assert written("github").strip() == ""
    assert json.loads(written("sarif"))["runs"][0]["results"] == []


def test_sarif_declares_every_rule_that_a_check_may_report(written: Any) -> None:
    value = json.loads(written("sarif", ERROR, WARNING))
    (run,) = value["runs"]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert (value["version"], ids) == ("2.1.0", sorted(SEVERITIES))
    assert {finding["ruleId"] for finding in run["results"]} <= set(ids)
    assert [finding["level"] for finding in run["results"]] == ["error", "warning"]


def test_sarif_has_no_region_for_a_file_as_a_whole(written: Any) -> None:
    place = result(written("sarif", WARNING))["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "prompts/b.yaml"}}


def test_sarif_has_a_uri_for_any_path(written: Any) -> None:
    text = written("sarif", WARNING._replace(path="prompts/a b#1%é.json"))
    place = result(text)["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "prompts/a%20b%231%25%C3%A9.json"}


def test_sarif_counts_columns_from_one_and_has_slashes_in_paths(written: Any) -> None:
    text = written("sarif", ERROR._replace(path="prompts\\a.yaml", column=0))
    assert result(text)["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "prompts/a.yaml"},
        "region": {"startLine": 3, "startColumn": 1},
    }
