"""DIV, FLOOR_DIV and FLOOR_MOD of float32 against TFLM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ops.elementwise import binary_case
from tests.ops.generate import ACTIVATIONS, Random
from tests.support.differential import Case, Tolerance, check

CASES = 115


class NonZero(Random):
    """Values away from zero, so that no result depends on a last bit."""

    def values(self, shape: Any, dtype: str) -> Any:
        return (super().values(shape, dtype) * 4).round() / 4 + np.float32(0.125)


def random_case(index: int, op: str) -> Case:
    r = NonZero(index, 44)
    options = {"activation": r.choice(ACTIVATIONS)} if op == "DIV" else {}
    return binary_case(f"{op} #{index}", r, op, "float32", lambda q1, q2: {}, **options)


@pytest.mark.parametrize("op", ["DIV", "FLOOR_DIV", "FLOOR_MOD"])
def test_float_is_close_to_tflm(op: str, tmp_path: Path) -> None:
    cases = [random_case(index, op) for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-6, 1e-6))
