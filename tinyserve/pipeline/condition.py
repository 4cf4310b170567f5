# SPDX-License-Identifier: Apache-2.0
"""Conditions on outputs: ``wake.scores[1] >= 0.6 and not argmax(wake) == "silence"``, parsed.

::

    condition   = both { "or" both }
    both        = one { "and" one }
    one         = "not" one | "(" condition ")" | "ran" "(" NODE ")" | operand COMPARISON (NUMBER | "LABEL")
    operand     = place [ "[" (NUMBER | "LABEL") "]" ] | FUNCTION "(" place ")"
    FUNCTION    = "max" | "min" | "mean" | "argmax" | "margin"
    place       = NODE [ "." OUTPUT ]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tinyserve.errors import DataError
from tinyserve.escapes import visible

Function = Literal["value", "max", "min", "mean", "argmax", "margin"]
Sign = Literal[">=", "<=", ">", "<", "==", "!="]
FUNCTIONS = ("max", "min", "mean", "argmax", "margin")
_DEEPEST = 20
_HINT = "docs/guide/pipelines.md shows conditions, such as wake.scores[1] >= 0.6"
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<text>"[^"\\]*"|'[^'\\]*')
    |(?P<sign>>=|<=|==|!=|>|<|\(|\)|\[|\]|\.))""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Operand:
    """A number that an output gives. ``entry``: which of its values, by place or by the class's name."""

    function: Function
    place: str
    entry: int | str | None = None


@dataclass(frozen=True)
class Comparison:
    """``value``: a number, or the name of a class, whose number is meant."""

    operand: Operand
    sign: Sign
    value: float | str


@dataclass(frozen=True)
class Ran:
    """Whether a node ran in this inference."""

    node: str


@dataclass(frozen=True)
class Not:
    condition: Condition


@dataclass(frozen=True)
class Both:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Either:
    conditions: tuple[Condition, ...]


Condition = Comparison | Ran | Not | Both | Either


def parse(text: str, where: str) -> Condition:
    """A condition from its text. Raises DataError that says where it is wrong."""
    return _Parser(text, where).condition()


def nodes_of(condition: Condition) -> Iterator[str]:
    """The nodes that it asks about."""
    if isinstance(condition, Comparison):
        yield condition.operand.place.partition(".")[0]
    elif isinstance(condition, Ran):
        yield condition.node
    elif isinstance(condition, Not):
        yield from nodes_of(condition.condition)
    else:
        for one in condition.conditions:
            yield from nodes_of(one)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    def __init__(self, text: str, where: str) -> None:
        self._text, self._where = text, where
        self._tokens = list(self._cut(text))
        self._next = 0
        self._depth = 0

    def condition(self) -> Condition:
        found = self._either()
        if self._next < len(self._tokens):
            raise self._wrong("the end")
        return found

    def _cut(self, text: str) -> Iterator[_Token]:
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._error(at, "it can't be read from here on")
            kind = str(match.lastgroup)
            yield _Token(kind, match[kind], match.start(kind))
            at = match.end()

    def _either(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(0, f"more than {_DEEPEST} parentheses inside of each other")
        found = [self._both()]
        while self._took("or"):
            found.append(self._both())
        self._depth -= 1
        return found[0] if len(found) == 1 else Either(tuple(found))

    def _both(self) -> Condition:
        found = [self._one()]
        while self._took("and"):
            found.append(self._one())
        return found[0] if len(found) == 1 else Both(tuple(found))

    def _one(self) -> Condition:
        negations = 0
        while self._took("not"):
            negations += 1
        if self._took("("):
            found = self._either()
            self._want(")")
        elif self._peeks("ran", "("):
            self._next += 2
            found = Ran(self._name("the name of a node"))
            self._want(")")
        else:
            found = self._comparison()
        return Not(found) if negations % 2 else found

    def _comparison(self) -> Comparison:
        operand = self._operand()
        token = self._peek()
        if token is None or token.text not in (">=", "<=", ">", "<", "==", "!="):
            raise self._wrong("a comparison (>=, <=, >, <, ==, !=)")
        self._next += 1
        return Comparison(operand, token.text, self._value())  # type: ignore[arg-type]

    def _operand(self) -> Operand:
        for function in FUNCTIONS:
            if self._peeks(function, "("):
                self._next += 2
                place = self._place()
                self._want(")")
                return Operand(function, place)  # type: ignore[arg-type]
        place = self._place()
        entry: int | str | None = None
        if self._took("["):
            token = self._peek()
            if token is not None and token.kind == "text":
                entry = token.text[1:-1]
            elif token is not None and re.fullmatch(r"\d{1,9}", token.text):
                entry = int(token.text)
            else:
                raise self._wrong("a place, or a class's name in quotes")
            self._next += 1
            self._want("]")
        return Operand("value", place, entry)

    def _place(self) -> str:
        name = self._name("the name of a node")
        token = self._peek()
        if token is not None and token.kind == "number" and re.fullmatch(r"\.\d+", token.text):
            self._next += 1  # node.0 is read as a name and a number
            return f"{name}{token.text}"
        return f"{name}.{self._name('the name of an output')}" if self._took(".") else name

    def _value(self) -> float | str:
        token = self._peek()
        if token is None or token.kind not in ("number", "text"):
            raise self._wrong("a number, or a class's name in quotes")
        self._next += 1
        if token.kind == "text":
            return token.text[1:-1]
        value = float(token.text)
        if not abs(value) < 1e30:
            raise self._error(token.at, f"{token.text} is out of range")
        return value

    def _name(self, what: str) -> str:
        token = self._peek()
        if token is None or token.kind != "name" or token.text in ("and", "or", "not"):
            raise self._wrong(what)
        self._next += 1
        return token.text

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _peeks(self, *texts: str) -> bool:
        ahead = self._tokens[self._next : self._next + len(texts)]
        return [token.text for token in ahead] == list(texts)

    def _took(self, text: str) -> bool:
        found = self._peeks(text)
        self._next += found
        return found

    def _want(self, text: str) -> None:
        if not self._took(text):
            raise self._wrong(f"'{text}'")

    def _wrong(self, wanted: str) -> DataError:
        token = self._peek()
        if token is None:
            return self._error(len(self._text), f"it ends where {wanted} is expected")
        return self._error(token.at, f"'{visible(token.text)}' where {wanted} is expected")

    def _error(self, at: int, reason: str) -> DataError:
        shown = visible(self._text)
        return DataError(f'{self._where}: when = "{shown}": {reason} (character {at + 1})', _HINT)
