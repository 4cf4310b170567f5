# SPDX-License-Identifier: Apache-2.0
"""What happened to each device of a fleet, a JSON line each, as it happens: a rollout goes on by it after
whatever has ended it."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import msgspec

from tinyserve.documents import from_json
from tinyserve.errors import DataError, FileSystemError

Event = Literal["on trial", "confirmed", "refused", "reverted", "drift", "taken back", "unreachable"]
ENDED: frozenset[Event] = frozenset(["refused", "reverted", "drift"])
"""What a rollout does not go on after."""
_HINT = "name another --record, or move it away: devices say themselves what they have"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line. ``model``: SHA-256 of the new model, hex; ``stage``: devices that are to have it."""

    time: str
    device: str
    stage: int
    event: Event
    model: str
    detail: str = ""


class Record:
    """The file of a rollout of one model. Lines of other models are kept and passed over."""

    def __init__(self, path: Path, model: str) -> None:
        """Raises FileSystemError, and DataError for a file that is no record."""
        self._path = path
        self._model = model
        self.entries: list[Entry] = []
        try:
            raw = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise FileSystemError(f"{path}: {error.strerror}", _HINT) from error
        whole, _, rest = raw.rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if whole else [], 1):
            try:
                entry = from_json(line, Entry)
            except msgspec.DecodeError as error:
                raise DataError(f"{path}: line {number} is no entry of a record: {error}", _HINT) from error
            if entry.model == model:
                self.entries.append(entry)
        self._torn = bool(rest)

    def last(self, device: str) -> Entry | None:
        """The device's last entry for this model."""
        return next((entry for entry in reversed(self.entries) if entry.device == device), None)

    def add(self, device: str, stage: int, event: Event, detail: str = "") -> Entry:
        """On the disk before it returns. Raises FileSystemError."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        entry = Entry(time=now, device=device, stage=stage, event=event, model=self._model, detail=detail)
        line = msgspec.json.encode(entry) + b"\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._torn:  # the line that was being written when something ended us
                self._drop_rest()
            with self._path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise FileSystemError(f"{self._path}: {error.strerror}", _HINT) from error
        self.entries.append(entry)
        return entry

    def _drop_rest(self) -> None:
        raw = self._path.read_bytes()
        os.truncate(self._path, raw.rfind(b"\n") + 1)
        self._torn = False
