# SPDX-License-Identifier: Apache-2.0
"""A directory that is being filled: each of its files is a job of its own, when it has come whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from tinyserve.errors import DataError, TinyserveError
from tinyserve.predict.run import Summary
from tinyserve.predict.sinks import ParquetSink, kind_of

_INCOMPLETE = (".part", ".partial", ".tmp", ".crdownload")
Predict = Callable[[Path, str], Summary]
Outcome = tuple[Path, "Summary | TinyserveError"]
_State = tuple[int, int]


def watch(folder: Path, out: str, predict: Predict, every_s: float) -> Iterator[Outcome]:
    """Predictions of each file of ``folder`` by ``predict`` (the file, and where they go), looked for every
    ``every_s`` seconds; without an end. A file is taken once it stayed as it was from one look to the next,
    and again when it changes. Names that begin with . or _ or end as incomplete ones do are passed over.

    Raises DataError where ``folder`` is no directory.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: is no directory", "--watch looks for files in one")
    before: dict[Path, _State] = {}
    done: dict[Path, _State] = {}
    while True:
        found = _files(folder)
        for path, state in sorted(found.items()):
            if before.get(path) == state != done.get(path):
                done[path] = state
                yield path, outcome(path, out, predict)
        before = found
        time.sleep(every_s)


def place_of(out: str, path: Path) -> str:
    """Where the predictions of a file go: a database holds them all; in Parquet each has a partition.

    Raises UsageError for a place of no known kind.
    """
    if kind_of(out) is not ParquetSink:
        return out
    name = quote(path.name, safe=" ").replace(".", "%2E")  # no suffix, by which kinds of places are known
    return str(Path(out) / f"data={name}")


def outcome(path: Path, out: str, predict: Predict) -> Summary | TinyserveError:
    """Of one file."""
    try:
        return predict(path, place_of(out, path))
    except TinyserveError as error:  # one bad file holds up no other
        return error


def _files(folder: Path) -> dict[Path, _State]:
    found = {}
    for path in folder.iterdir():
        if path.name[0] in "._" or path.suffix.lower() in _INCOMPLETE:
            continue
        try:
            if path.is_file():
                status = path.stat()
                found[path] = status.st_size, status.st_mtime_ns
        except OSError:  # gone meanwhile
            continue
    return found
