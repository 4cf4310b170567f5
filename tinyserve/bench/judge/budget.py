# SPDX-License-Identifier: Apache-2.0
"""Budgets: limits in a TOML file that a result must keep, or the bench ends with exit status 3.

::

    [limits]                    # for every cell
    flash_bytes = 131072
    accuracy = 0.95             # better is higher: a minimum; all others are maxima

    [board.nano33]              # for cells on this board, instead of the same name above
    instructions = 3_000_000

    [model.kws.board.nano33]    # for this model on this board, instead of both above
    arena_bytes = 9500
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyserve.bench.judge.metrics import METRICS, Metric, named
from tinyserve.bench.result import BenchResult
from tinyserve.documents import from_toml
from tinyserve.errors import FileSystemError, UsageError


@dataclass(frozen=True)
class Limit:
    """A metric's limit, and the table of the file that set it."""

    metric: Metric
    value: float
    where: str


@dataclass(frozen=True)
class Violation:
    """A limit that a result breaks. ``value`` is None where the bench could not tell the figure at all."""

    cell: str
    limit: Limit
    value: float | None

    @property
    def over_percent(self) -> float | None:
        """How far beyond the limit, in % of it."""
        return (
            None if self.value is None else self.limit.metric.worse_by_percent(self.value, self.limit.value)
        )


class Budget:
    """The limits of one budget file."""

    def __init__(self, scopes: dict[tuple[str, str], dict[str, Limit]]) -> None:
        self._scopes = scopes

    def limits(self, model: str, board: str) -> list[Limit]:
        """The limits of a cell: a narrower scope replaces a wider one's limit of the same name."""
        merged: dict[str, Limit] = {}
        for scope in (("", ""), ("", board), (model, ""), (model, board)):
            merged |= self._scopes.get(scope, {})
        return list(merged.values())

    def idle(self, results: Iterable[BenchResult]) -> list[str]:
        """The file's tables that concern none of the results: perhaps a name is misspelt."""
        models, boards = {""}, {""}
        for result in results:
            models.add(result.model.name)
            boards.add(result.setup.board)
        return [
            next(iter(limits.values())).where
            for (model, board), limits in self._scopes.items()
            if limits and not (model in models and board in boards)
        ]

    def check(self, result: BenchResult) -> list[Violation]:
        """What the result breaks; a figure that has a limit and is missing counts as broken."""
        violations = []
        for limit in self.limits(result.model.name, result.setup.board):
            value = limit.metric.get(result)
            if value is None or limit.metric.worse_by_percent(value, limit.value) > 0:
                violations.append(Violation(result.title, limit, value))
        return violations


def load(path: Path) -> Budget:
    """Reads a budget file. Raises FileSystemError, or UsageError naming file, key and reason."""
    try:
        document = from_toml(path.read_bytes())
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "check the path of the budget file") from error
    except ValueError as error:
        raise UsageError(
            f"{path} is not TOML: {error}", "see docs/guide/budgets.md for the format"
        ) from error
    scopes: dict[tuple[str, str], dict[str, Limit]] = {}
    _read_scopes(path, document, scopes)
    if not any(scopes.values()):
        raise UsageError(f"{path} sets no limit", "add a [limits] table; see docs/guide/budgets.md")
    return Budget(scopes)


def _read_scopes(
    path: Path, document: dict[str, Any], scopes: dict[tuple[str, str], dict[str, Limit]]
) -> None:
    for key, table in document.items():
        if key == "limits":
            scopes["", ""] = _limits(path, table, "limits")
        elif key == "board":
            for board, limits in _table(path, table, key).items():
                scopes["", board] = _limits(path, limits, f"board.{board}")
        elif key == "model":
            for model, limits in _table(path, table, key).items():
                _read_model(path, model, _table(path, limits, f"model.{model}"), scopes)
        else:
            raise UsageError(f"{path}: [{key}]: no such table", "use [limits], [board.NAME] or [model.NAME]")


def _read_model(
    path: Path, model: str, table: dict[str, Any], scopes: dict[tuple[str, str], dict[str, Limit]]
) -> None:
    own = {key: value for key, value in table.items() if key != "board"}
    scopes[model, ""] = _limits(path, own, f"model.{model}")
    for board, limits in _table(path, table.get("board", {}), f"model.{model}.board").items():
        scopes[model, board] = _limits(path, limits, f"model.{model}.board.{board}")


def _table(path: Path, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}: {where}: expected a table", "see docs/guide/budgets.md for the format")
    return value


def _limits(path: Path, table: Any, where: str) -> dict[str, Limit]:
    limits = {}
    for key, value in _table(path, table, where).items():
        metric = named(key)
        if metric is None:
            names = ", ".join(metric.name for metric in METRICS)
            raise UsageError(f"{path}: {where}.{key}: no such metric", f"use one of {names}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise UsageError(
                f"{path}: {where}.{key}: {value!r} is no limit", "write a number that is 0 or more"
            )
        limits[key] = Limit(metric, float(value), where)
    return limits
