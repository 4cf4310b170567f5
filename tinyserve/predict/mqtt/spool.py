# SPDX-License-Identifier: Apache-2.0
"""What has come from a broker, on this computer's disk until it is predicted.

Messages are rows of a database; a cut makes a .npz of all that are there. The file's name says the last
message that is in it, and numbers are never used twice: a cut that was interrupted is finished when the spool
is opened again, so that no message is lost or in two files.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve import bundle, platforms
from tinyserve.bundle import TensorInfo
from tinyserve.databases import open_database
from tinyserve.files import staged, write

_SCHEMA = ("CREATE TABLE IF NOT EXISTS arrived (id INTEGER PRIMARY KEY AUTOINCREMENT, sample BLOB NOT NULL)",)
_BUSY_S = 10.0
_NAME_FILE = "client"
MOST = 1 << 16
"""Samples of one cut, and..."""
MOST_BYTES = 64 << 20
"""...bytes: a cut is in memory, some times over."""


class Spool:
    """Of one model and one filter of topics, in ``folder``. Used in one thread; FileSystemError where the
    disk does not take it."""

    def __init__(self, folder: Path, inputs: Sequence[TensorInfo]) -> None:
        self._folder = folder
        self._inputs = inputs
        folder.mkdir(parents=True, exist_ok=True)
        self._database = open_database(
            str(folder / "arrived.sqlite"), _SCHEMA, "check permissions and free space",
            synchronous="FULL", busy_s=_BUSY_S,
        )  # fmt: skip
        for path in self.left():
            self._forget(int(path.stem.rpartition("-")[2]))

    def left(self) -> list[Path]:
        """Files that are not predicted yet, the oldest first."""
        found = [path for path in self._folder.glob("messages-*-*.npz") if _last(path) is not None]
        return sorted(found, key=lambda path: _last(path) or 0)

    def client_id(self) -> str:
        """What a broker knows the receiver by who has this spool: another spool, here or on another computer,
        is another receiver, and each gets all messages."""
        path = self._folder / _NAME_FILE
        known = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        if not re.fullmatch(r"tinyserve-[0-9a-f]{12}", known):
            known = f"tinyserve-{uuid.uuid4().hex[:12]}"
            write(path, known.encode())
        return known

    def add(self, samples: Sequence[npt.NDArray[np.float64]]) -> None:
        """Samples (values of all inputs in order, in real units); on the disk when it returns."""
        with self._database.transaction():
            self._database.change_many(
                "INSERT INTO arrived (sample) VALUES (?)", [(one.tobytes(),) for one in samples]
            )

    def cut(self) -> Path | None:
        """A file of what has come since the last one, up to MOST or MOST_BYTES; None where nothing has."""
        size = np.dtype(np.float64).itemsize * sum(
            int(np.prod(bundle.sample_shape(info))) for info in self._inputs
        )
        most = max(1, min(MOST, MOST_BYTES // max(size, 1)))
        rows = self._database.rows(f"SELECT id, sample FROM arrived ORDER BY id LIMIT {most}")
        if not rows:
            return None
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        path = self._folder / f"messages-{stamp}-{rows[-1][0]}.npz"
        with staged(path) as place, place.open("wb") as file:
            np.savez(file, **self._arrays([sample for _, sample in rows]))
            file.flush()
            os.fsync(file.fileno())
        platforms.here().keep_names(self._folder)  # before the messages are forgotten
        self._forget(rows[-1][0])
        return path

    def close(self) -> None:
        self._database.close()

    def _forget(self, last: int) -> None:
        with self._database.transaction():
            self._database.change("DELETE FROM arrived WHERE id <= ?", (last,))

    def _arrays(self, samples: Sequence[bytes]) -> dict[str, Any]:
        values = np.frombuffer(b"".join(samples), np.float64).reshape(len(samples), -1)
        found: dict[str, Any] = {}
        place = 0
        for info in self._inputs:
            shape = bundle.sample_shape(info)
            size = int(np.prod(shape))
            name = info.name if len(self._inputs) > 1 else "x"
            found[name] = values[:, place : place + size].reshape(len(samples), *shape)
            place += size
        return found


def _last(path: Path) -> int | None:
    """The number of the last message in a file; None for a file of another kind."""
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else None
