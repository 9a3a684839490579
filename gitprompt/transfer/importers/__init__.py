# SPDX-License-Identifier: Apache-2.0
"""Other systems whose exports come in: a module for each, and its line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitprompt.transfer.foreign.records import Importer
from gitprompt.transfer.importers import langfuse, langsmith, mlflow, promptmetrics

IMPORTERS: Mapping[str, Callable[[], Importer]] = {
    "langfuse": langfuse.Langfuse,
    "langsmith": langsmith.LangSmith,
    "promptmetrics": promptmetrics.PromptMetrics,
    "mlflow": mlflow.MLflow,
}
