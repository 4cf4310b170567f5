# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from tinyserve.errors import DataError
from tinyserve.pipeline.condition import Both, Comparison, Either, Not, Operand, Ran, nodes_of, parse


def test_and_binds_more_than_or_and_not_more_than_and() -> None:
    low, high = (Comparison(Operand("value", name), "<", 1.0) for name in ("a", "b"))
    assert parse("a < 1 or b < 1 and not a < 1", "n") == Either((low, Both((high, Not(low)))))
    assert parse("(a < 1 or b < 1) and a < 1", "n") == Both((Either((low, high)), low))
    assert parse("not not a < 1", "n") == low


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("wake.scores[1] >= 0.6", Comparison(Operand("value", "wake.scores", 1), ">=", 0.6)),
        ('wake["yes"]<.5', Comparison(Operand("value", "wake", "yes"), "<", 0.5)),
        ("argmax(wake.0) == 'no'", Comparison(Operand("argmax", "wake.0"), "==", "no")),
        ("margin( small ) != -1e-3", Comparison(Operand("margin", "small"), "!=", -0.001)),
        ("ran(a)", Ran("a")),
        ("max > 1", Comparison(Operand("value", "max"), ">", 1.0)),
    ],
)
def test_operands(text: str, wanted: object) -> None:
    assert parse(text, "n") == wanted


def test_it_says_whom_it_asks_about() -> None:
    assert list(nodes_of(parse("not (a[0] > 1 or ran(b)) and max(c.d) < 2", "n"))) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("wake.scores[1]", "it ends where a comparison"),
        ("wake >= ", "it ends where a number"),
        ("wake >= 0.5 verify < 1", "'verify' where the end"),
        ("wake = 0.5", "can't be read"),
        ("wake[-1] > 0", "a place"),
        ("wake[1.5] > 0", "a place"),
        ("(wake > 1", "it ends where '\\)'"),
        ("wake > 1e99", "out of range"),
        ("__import__('os').system('x') > 1", "where a comparison"),
        ("(" * 50 + "a > 1" + ")" * 50, "more than 20"),
        ("and > 1", "the name of a node"),
        ("wake > 1; verify", "can't be read"),
        ("wake > \x07", "can't be read"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        parse(text, "node 'n'")
    assert "node 'n'" in caught.value.message
    assert "\x07" not in caught.value.message
