# SPDX-License-Identifier: Apache-2.0
"""Random Keras models convert, keep their names, and give what their originals give."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.convert import soak

pytestmark = pytest.mark.slow
CASES = [(0, "int8"), (1, "float32"), (2, "int16x8"), (3, "int8"), (4, "int8"), (5, "float32")]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("random")
    soak.make(made, 0, len(CASES))
    return made


@pytest.mark.parametrize(("seed", "scheme"), CASES)
def test_a_random_model_converts_to_itself(directory: Path, seed: int, scheme: str) -> None:
    assert not soak.problems(directory, seed, scheme)
