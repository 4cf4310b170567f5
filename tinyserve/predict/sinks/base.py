# SPDX-License-Identifier: Apache-2.0
"""What every sink does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter

import msgspec

from tinyserve.predict.rows import Rows


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is of: it is taken up again only where all of it is the same.

    ``data_sha256`` is over the data's files, names and contents. ``piece``: samples that are written at once.
    """

    model: str
    model_sha256: str
    data: str
    data_sha256: str
    samples: int
    piece: int
    reading: str
    output: str
    labels: list[str] = []


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Of a published run. ``ran_on``: "host", "twin BOARD", … ``verified``: samples computed twice, with the
    same bytes. ``classes``: how often each was the best."""

    format: int = 1
    job_id: str
    job: Job
    tool: str
    ran_on: str
    count: int
    verified: int
    verified_by: str
    classes: dict[str, int]


class Sink(ABC):
    """Holds one job's predictions; they are visible to readers once they are published.

    Opened for a job that was begun before it has what was written then. Each piece is written whole or not at
    all, whatever ends the process.
    """

    @abstractmethod
    def __init__(self, out: str, job_id: str, job: Job) -> None:
        """Raises FileSystemError where ``out`` can't be written or holds something else."""

    @abstractmethod
    def done(self) -> set[int]:
        """The first samples of the pieces that are there."""

    @abstractmethod
    def published(self) -> Manifest | None:
        """The manifest of this job, if it was published."""

    @abstractmethod
    def save(self, rows: Rows) -> None:
        """Writes a piece. Raises FileSystemError."""

    @abstractmethod
    def totals(self) -> tuple[int, Counter[int]]:
        """How many samples there are, and how often each class was the best."""

    @abstractmethod
    def publish(self, manifest: Manifest) -> None:
        """Makes the predictions visible, all at once."""

    @abstractmethod
    def close(self) -> None:
        """What was saved stays."""
