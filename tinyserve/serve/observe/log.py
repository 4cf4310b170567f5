# SPDX-License-Identifier: Apache-2.0
"""The server's log on standard error, a line per record: text for people, or JSON for programs that collect
logs. What a record is of stands in its ``fields`` (``extra={"fields": {...}}``)."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Literal

from tinyserve.escapes import visible

Style = Literal["text", "json"]
LOGGER = "tinyserve"
_MOST_MESSAGES = 100


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
        return json.dumps(said, default=str)  # ASCII: names may hold what is no text in UTF-8


class TextLines(logging.Formatter):
    """TIME LEVEL MESSAGE key=value …, and a traceback on further lines."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = [f"{key}={visible(str(value))}" for key, value in _fields(record).items() if value != ""]
        line = " ".join([_time(record), record.levelname.lower(), visible(record.getMessage()), *pairs])
        return line + self._traceback(record)

    def _traceback(self, record: logging.LogRecord) -> str:
        """Indented, so that no exception's message looks like a record."""
        lines = self.formatException(record.exc_info).split("\n") if record.exc_info else []
        return "".join(f"\n  {visible(line)}" for line in lines)


class Seldom(logging.Filter):
    """Lets a message without an exception through once in ``every_s`` seconds, with the number of those that
    it held back: a client can cause some of them as often as it likes."""

    def __init__(self, every_s: float = 10.0) -> None:
        super().__init__()
        self._every_s = every_s
        self._next_s: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            return True
        message, now_s = str(record.msg), time.monotonic()
        if len(self._next_s) > _MOST_MESSAGES:
            self._next_s.clear()
        if now_s < self._next_s.get(message, 0.0):
            self._held[message] = self._held.get(message, 0) + 1
            return False
        self._next_s[message] = now_s + self._every_s
        held = self._held.pop(message, 0)
        if held:
            record.msg = f"{message} ({held} more since the last)"
        return True


@contextmanager
def configured(style: Style, stream: IO[str] | None = None, level: int = logging.INFO) -> Iterator[None]:
    """Meanwhile records of tinyserve from ``level`` on go to ``stream`` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    logger = logging.getLogger(LOGGER)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    found = getattr(record, "fields", {})
    return found if isinstance(found, Mapping) else {}


def _time(record: logging.LogRecord) -> str:
    """UTC, to the millisecond."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.msecs):03d}Z"
