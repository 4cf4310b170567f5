# SPDX-License-Identifier: Apache-2.0
"""Random networks of all operators become float .tflite models that answer as onnxruntime does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.convert.frameworks.networks.onnx_networks import network
from tests.convert.frameworks.networks.reference import differences


@pytest.mark.parametrize("first", range(0, 120, 10))
def test_networks_are_not_changed(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 10):
        for moved in (True, False):
            wrong = [
                str(one) for one in differences(network(seed), tmp_path, moved=moved) if not one.is_right
            ]
            assert not wrong, (seed, moved)
