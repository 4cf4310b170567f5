# SPDX-License-Identifier: Apache-2.0
"""Held-out samples beyond the calibration data: the better of two models is taken."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from tinyserve.bundle import TensorInfo
from tinyserve.convert.quantize import extremes
from tinyserve.convert.settings import Options, Record
from tinyserve.datasets.dataset import Dataset

_KNOWN = np.linspace(-1, 1, 20, dtype=np.float32).reshape(10, 2)


def _data(values: Any, origin: str = "data.npz") -> Dataset:
    return Dataset([np.asarray(values, np.float32)], None, origin)


def test_those_that_reach_beyond_are_added() -> None:
    held = _data([[0, 0.5], [0, 1.5], [-1.1, 0]])
    found = extremes.with_extremes(_data(_KNOWN), held)
    assert found is not None and found[1] == 2
    assert found[0].inputs[0][-2:].tolist() == held.inputs[0][1:].tolist()


@pytest.mark.parametrize("held", [_data([[0, 0.5]]), _data([[0, 9]], "another.npz")])
def test_samples_within_and_from_elsewhere_are_not(held: Dataset) -> None:
    assert extremes.with_extremes(_data(_KNOWN), held) is None


@pytest.mark.parametrize(("figures", "taken"), [((33.6, 36.0), 11), ((36.0, 33.6), 10)])
def test_the_better_is_kept(
    figures: tuple[float, float], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decibels = iter(figures)
    monkeypatch.setattr(extremes, "_worst_db", lambda *_: next(decibels))
    session = SimpleNamespace(
        quantize=lambda data, *_: len(data), options=Options(), record=Record(), in_order=False,
        original=SimpleNamespace(inputs=[TensorInfo("x", [1, 2], "float32")]),
    )  # fmt: skip
    made = extremes.calibrated(cast(Any, session), _data(_KNOWN), _data([[0, 1.5]]), "int8")
    assert cast(Any, made) == taken
    assert any("36.0 dB instead of 33.6" in note for note in session.record.notes) is (taken == 11)
