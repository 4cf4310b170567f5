# SPDX-License-Identifier: Apache-2.0
"""Conditions as operators: each gives a bool in every inference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tinyserve.errors import DataError
from tinyserve.pipeline.condition import Both, Comparison, Condition, Either, Operand, Ran
from tinyserve.pipeline.values import Desk, Kind, Value
from tinyserve.words import counted

FLAG = Kind((1,), "bool")
TO_LOW, TO_HIGH = "when_low", "when_high"
"""Names of bounds, by what would make the whole condition hold: a lowest or a greatest number."""


@dataclass(frozen=True)
class Scope:
    """What conditions may ask about. ``value`` gives a place's value, ``labels`` the names of its classes,
    ``ran`` the flag of a node (None: it runs always). All raise DataError for what is not there."""

    value: Callable[[str], Value]
    labels: Callable[[str], Sequence[str]]
    ran: Callable[[str], int | None]


class Flags:
    """Writes the condition of one node."""

    def __init__(self, desk: Desk, scope: Scope, where: str) -> None:
        self._desk, self._scope, self._where = desk, scope, where

    def of(self, condition: Condition) -> int | None:
        """The flag of a condition; None where it always holds."""
        return self._made(condition, True)

    def all(self, flags: Sequence[int | None]) -> int | None:
        """Whether all hold; None stands for one that always does."""
        known = list(dict.fromkeys(flag for flag in flags if flag is not None))
        return self._chain("LOGICAL_AND", "LogicalAndOptions", known)

    def any(self, flags: Sequence[int | None]) -> int | None:
        """Whether one holds at least."""
        if any(flag is None for flag in flags):
            return None
        known = list(dict.fromkeys(flag for flag in flags if flag is not None))
        return self._chain("LOGICAL_OR", "LogicalOrOptions", known)

    def _made(self, condition: Condition, wanted: bool) -> int | None:
        """``wanted``: what the whole condition asks of this part; under "not" it is False."""
        if isinstance(condition, Comparison):
            return self._comparison(condition, wanted)
        if isinstance(condition, Ran):
            return self._scope.ran(condition.node)
        if isinstance(condition, Both):
            return self.all([self._made(one, wanted) for one in condition.conditions])
        if isinstance(condition, Either):
            return self.any([self._made(one, wanted) for one in condition.conditions])
        inner = self._made(condition.condition, not wanted)
        if inner is None:
            raise self._error("a condition that never holds: the node always runs", "leave `not` out")
        return self._not(inner)

    def _comparison(self, given: Comparison, wanted: bool) -> int | None:
        number, value = self._operand(given.operand), self._number(given)
        if given.sign == "!=":
            flag = self._not(self._equal(number, value, not wanted))
        elif given.sign == "==":
            flag = self._equal(number, value, wanted)
        else:
            flag = self._compared(number, given.sign, value, wanted)
        node = given.operand.place.partition(".")[0]
        return self.all([flag, self._scope.ran(node)])

    def _equal(self, number: Value, value: float, wanted: bool) -> int:
        """Neither below nor above, so that its bounds can be moved as those of other comparisons."""
        flag = self.all([self._compared(number, sign, value, wanted) for sign in (">=", "<=")])
        assert flag is not None
        return flag

    def _compared(self, number: Value, sign: str, value: float, wanted: bool) -> int:
        op, options, low = {
            ">=": ("GREATER_EQUAL", "GreaterEqualOptions", True),
            ">": ("GREATER", "GreaterOptions", True),
            "<=": ("LESS_EQUAL", "LessEqualOptions", False),
            "<": ("LESS", "LessOptions", False),
        }[sign]
        bound = self._desk.constant([value], name=TO_LOW if low == wanted else TO_HIGH)
        return self._desk.builtin(op, options, [number.tensor, bound], FLAG)

    def _operand(self, operand: Operand) -> Value:
        """float32 [1]."""
        value = self._scope.value(operand.place)
        flat = self._desk.reshaped(value, (value.kind.elements,))
        return self._desk.real(self._reduced(operand, value, flat))

    def _reduced(self, operand: Operand, value: Value, flat: Value) -> Value:
        count = value.kind.elements
        if operand.function == "value":
            return self._entry(flat, self._place(operand, count)) if count > 1 or operand.entry else flat
        if operand.function == "argmax":
            return self._desk.argmax(flat)
        if operand.function == "margin":
            return self._margin(flat, operand)
        exact = flat if flat.kind.is_real and operand.function == "max" else self._desk.real(flat)
        op = {"max": "REDUCE_MAX", "min": "REDUCE_MIN", "mean": "MEAN"}[operand.function]
        axis = self._desk.constant([0], "int32")
        return self._replaced(op, "ReducerOptions", exact, [axis], keepDims=True)

    def _replaced(self, op: str, options: str, value: Value, others: Sequence[int], **fields: float) -> Value:
        kind = replace(value.kind, shape=(1,))
        made = self._desk.builtin(op, options, [value.tensor, *others], kind, "", **fields)
        return replace(value, tensor=made, kind=kind)

    def _entry(self, flat: Value, place: int) -> Value:
        bounds = [self._desk.constant([number], "int32") for number in (place, 1)]
        return self._replaced("SLICE", "SliceOptions", flat, bounds)

    def _margin(self, flat: Value, operand: Operand) -> Value:
        """The greatest less the second."""
        if flat.kind.elements < 2:
            raise self._error(f"{operand.place} has one value: there is no second", f"{operand.place} >= 0.5")
        two = replace(flat.kind, shape=(2,))
        best = self._desk.tensor(two, "top")
        places = self._desk.tensor(Kind((2,), "int32"), "places")
        count = self._desk.constant(2, "int32")
        self._desk.writer.builtin("TOPK_V2", "TopKV2Options", [flat.tensor, count], [best, places])
        real = self._desk.real(replace(flat, tensor=best, kind=two))
        first, second = (self._entry(real, place) for place in (0, 1))
        return self._replaced("SUB", "SubOptions", first, [second.tensor])

    def _place(self, operand: Operand, count: int) -> int:
        entry = operand.entry
        if isinstance(entry, str):
            return self._label(operand.place, entry)
        if entry is None:
            raise self._error(
                f"{operand.place} has {counted(count, 'value')}", f"{operand.place}[0], max({operand.place})"
            )
        if entry >= count:
            raise self._error(f"{operand.place} has no value {entry}", f"0 to {count - 1}")
        return entry

    def _number(self, given: Comparison) -> float:
        if not isinstance(given.value, str):
            return given.value
        return float(self._label(given.operand.place, given.value))

    def _label(self, place: str, label: str) -> int:
        labels = list(self._scope.labels(place))
        if label not in labels:
            known = f"it has: {', '.join(labels)}" if labels else "its bundle names none: give the number"
            raise self._error(f"{place} has no class '{label}'", known)
        return labels.index(label)

    def _not(self, flag: int) -> int:
        return self._desk.builtin("LOGICAL_NOT", "LogicalNotOptions", [flag], FLAG)

    def _chain(self, op: str, options: str, flags: Sequence[int]) -> int | None:
        made = flags[0] if flags else None
        for flag in flags[1:]:
            assert made is not None
            made = self._desk.builtin(op, options, [made, flag], FLAG)
        return made

    def _error(self, reason: str, hint: str) -> DataError:
        return DataError(f"{self._where}: when: {reason}", hint)
