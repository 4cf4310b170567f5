# SPDX-License-Identifier: Apache-2.0
"""The server's log on standard error, a line per record: text for people, or JSON for programs that collect
logs. What a record is of stands in its ``fields`` (``extra={"fields": {...}}``)."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import IO, Literal

import msgspec

from tinyserve.escapes import visible

Style = Literal["text", "json"]
LOGGER = "tinyserve"


def fields_of(**fields: object) -> dict[str, Mapping[str, object]]:
    """For ``extra`` of a log call."""
    return {"fields": fields}


class JsonLines(logging.Formatter):
    """{"time": "…Z", "level": "info", "logger": …, "message": …, the record's fields}."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        said |= {key: value for key, value in _fields(record).items() if key not in said}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(said, enc_hook=str).decode()


class TextLines(logging.Formatter):
    """TIME LEVEL MESSAGE key=value …, and a traceback on further lines."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = [f"{key}={visible(str(value))}" for key, value in _fields(record).items() if value != ""]
        line = " ".join([_time(record), record.levelname.lower(), visible(record.getMessage()), *pairs])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(style: Style, stream: IO[str] | None = None) -> logging.Handler:
    """From now on records of tinyserve go to ``stream`` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    logger = logging.getLogger(LOGGER)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handler


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    found = getattr(record, "fields", {})
    return found if isinstance(found, Mapping) else {}


def _time(record: logging.LogRecord) -> str:
    """UTC, to the millisecond."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.msecs):03d}Z"
