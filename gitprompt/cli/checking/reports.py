# SPDX-License-Identifier: Apache-2.0
"""Findings for programs: JSON, annotations of GitHub Actions, SARIF 2.1.0."""

from __future__ import annotations

import json
import os
import sys
from typing import Any
from urllib.parse import quote

from gitprompt import __version__
from gitprompt.checks import SEVERITIES
from gitprompt.cli.checking.examination import Report
from gitprompt.core.model import Finding
from gitprompt.core.printable import printable_json, printable_lines

STYLES = ("text", "json", "github", "sarif")


def write(report: Report, style: str) -> None:
    writers = {"json": _json, "github": _github, "sarif": _sarif}
    if style != "json":  # forges take a path for one from the top of the repository
        findings = [f._replace(path=_from_top(f.path, report.top)) for f in report.findings]
        report = report._replace(findings=findings)
    sys.stdout.write(writers[style](report) + "\n")


def _from_top(path: str, top: str) -> str:
    absolute = os.path.abspath(path)
    return absolute[len(top) + 1 :] if absolute.startswith(top + os.sep) else path


def _json(report: Report) -> str:
    value = {
        "files": report.files,
        "errors": report.count("error"),
        "warnings": report.count("warning"),
        "findings": [finding._asdict() for finding in report.findings],
    }
    return printable_json(json.dumps(value, indent=2, ensure_ascii=False))


def _github(report: Report) -> str:
    """Workflow commands: https://docs.github.com/actions/reference/workflow-commands"""
    return "\n".join(
        f"::{finding.severity} {_properties(finding)}::{_escaped(_sentence(finding))}"
        for finding in report.findings
    )


def _properties(finding: Finding) -> str:
    values = {"file": finding.path, "line": finding.line, "col": finding.column}
    values["title"] = f"gitprompt {finding.code}"
    return ",".join(
        f"{key}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in values.items()
        if value
    )


def _escaped(text: str) -> str:
    return printable_lines(text.replace("%", "%25")).replace("\n", "%0A")


def _sentence(finding: Finding) -> str:
    return f"{finding.message}\n{finding.hint}" if finding.hint else finding.message


def _sarif(report: Report) -> str:
    rules = [{"id": code} for code in sorted(SEVERITIES)]
    driver = {"name": "gitprompt", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(f) for f in report.findings]}
    value = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return printable_json(json.dumps(value, indent=2, ensure_ascii=False))


def _result(finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {
        "artifactLocation": {"uri": quote(os.fsencode(finding.path.replace("\\", "/")))}
    }
    if finding.line:
        location["region"] = {"startLine": finding.line, "startColumn": max(finding.column, 1)}
    return {
        "ruleId": finding.code,
        "level": finding.severity,
        "message": {"text": _sentence(finding)},
        "locations": [{"physicalLocation": location}],
    }
