# SPDX-License-Identifier: Apache-2.0
"""Averages and votes of several values, of those whose nodes ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyserve.errors import DataError
from tinyserve.pipeline.values import FLOATS, Desk, Kind, Value


@dataclass(frozen=True)
class Voice:
    """A value, its weight, and the flag of its node (None: it runs always)."""

    value: Value
    weight: float
    flag: int | None


def averaged(desk: Desk, voices: Sequence[Voice]) -> Value:
    """The mean of the values, float32."""
    _check(voices)
    real = [replace(voice, value=desk.real(voice.value)) for voice in voices]
    return _mean(desk, real)


def voted(desk: Desk, voices: Sequence[Voice]) -> Value:
    """Of each class the share of voices for which it is the greatest (of equal ones the first), float32."""
    _check(voices)
    return _mean(desk, [replace(voice, value=_ballot(desk, voice.value)) for voice in voices])


def _check(voices: Sequence[Voice]) -> None:
    first = voices[0].value
    for voice in voices[1:]:
        if voice.value.kind.shape != first.kind.shape:
            raise DataError(
                f"{first.what} is {first.kind.named()}, and {voice.value.what} {voice.value.kind.named()}",
                "scores of the same classes",
            )


def _ballot(desk: Desk, value: Value) -> Value:
    """1 for the greatest, 0 for the others."""
    classes, best = value.kind.elements, desk.argmax(value)
    constants = [desk.constant(classes, "int32"), desk.constant(1.0), desk.constant(0.0)]
    kind = Kind((1, classes), FLOATS)
    made = desk.builtin("ONE_HOT", "OneHotOptions", [best.tensor, *constants], kind, axis=-1)
    return desk.reshaped(Value(made, kind, value.what), value.kind.shape)


def _mean(desk: Desk, voices: Sequence[Voice]) -> Value:
    kind = voices[0].value.kind
    if all(voice.flag is None for voice in voices):
        total = sum(voice.weight for voice in voices)
        parts = [
            _times(desk, voice.value.tensor, desk.constant(voice.weight / total), kind) for voice in voices
        ]
        return replace(voices[0].value, tensor=_sum(desk, parts, kind), kind=kind, nothing=0)
    one = Kind((1,), FLOATS)
    weights = [_weight(desk, voice, one) for voice in voices]
    parts = [
        _times(desk, voice.value.tensor, weight, kind) for voice, weight in zip(voices, weights, strict=True)
    ]
    # Nobody's sum is 0 by 0: nothing is divided by less than the least weight that there is.
    least = desk.constant([min(voice.weight for voice in voices if voice.weight)])
    total_weight = desk.builtin("MAXIMUM", "", [_sum(desk, weights, one), least], one)
    made = desk.builtin("DIV", "DivOptions", [_sum(desk, parts, kind), total_weight], kind)
    return replace(voices[0].value, tensor=made, kind=kind, nothing=0)


def _weight(desk: Desk, voice: Voice, one: Kind) -> int:
    """The voice's weight where its node ran, else 0."""
    constant = desk.constant([voice.weight])
    if voice.flag is None:
        return constant
    ran = desk.builtin("CAST", "CastOptions", [voice.flag], one)
    return _times(desk, ran, constant, one)


def _times(desk: Desk, tensor: int, factor: int, kind: Kind) -> int:
    return desk.builtin("MUL", "MulOptions", [tensor, factor], kind)


def _sum(desk: Desk, tensors: Sequence[int], kind: Kind) -> int:
    made = tensors[0]
    for tensor in tensors[1:]:
        made = desk.builtin("ADD", "AddOptions", [made, tensor], kind)
    return made
