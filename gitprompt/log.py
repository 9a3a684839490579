# SPDX-License-Identifier: Apache-2.0
"""Structured logs on standard error: a line of text, or of JSON, for each event."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

logger = logging.getLogger("gitprompt")


def configure(level: str, style: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Text())
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False


def adopt(name: str) -> None:
    """Have another library's messages in our form."""
    other = logging.getLogger(name)
    other.handlers[:] = logger.handlers
    other.propagate = not logger.handlers


def event(level: int, message: str, **fields: object) -> None:
    """Log one event. Never pass a secret, a key or a body."""
    if logger.isEnabledFor(level):
        logger.log(level, message, extra={"fields": fields})


def info(message: str, **fields: object) -> None:
    event(logging.INFO, message, **fields)


def warning(message: str, **fields: object) -> None:
    event(logging.WARNING, message, **fields)


def error(message: str, *, exc_info: bool = False, **fields: object) -> None:
    logger.error(message, exc_info=exc_info, extra={"fields": fields})


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        text = f"{when} {record.levelname.lower():7} {record.getMessage()}"
        for key, value in _fields(record).items():
            text += f" {key}={_quoted(value)}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        value = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            value["exception"] = self.formatException(record.exc_info)
        return json.dumps(value, default=str)


def _quoted(value: object) -> str:
    """A value on one line, whatever a stranger put into it."""
    text = str(value)
    plain = text.isprintable() and " " not in text and '"' not in text
    return text if plain else json.dumps(text)
