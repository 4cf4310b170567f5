# SPDX-License-Identifier: Apache-2.0
"""Every intermediate tensor of the MLPerf Tiny models on emulated cores, byte for byte TFLM's."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support import models, traces
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.program import Target

SAMPLES = 20

pytestmark = [pytest.mark.slow, pytest.mark.models]


@pytest.mark.parametrize("cpu", traces.FEATURES)
@pytest.mark.parametrize("name", models.INT8_CRC)
def test_every_tensor_equals_tflm(name: str, cpu: str, tmp_path: Path) -> None:
    if cpu == "cortex-m55" and shutil.which("qemu-system-arm") is None:
        pytest.skip("needs qemu-system-arm")
    data = models.model_bytes(name)
    # Without passes, so that no tensor has lost its dead channels.
    compiled = compile_model(data, Target(traces.FEATURES[cpu]), optimize_graph=False)
    shape = compiled.program.input_tensors[0].shape
    rng = np.random.default_rng(1)
    samples = [rng.integers(-128, 128, shape, dtype=np.int8) for _ in range(SAMPLES)]
    found = traces.emulated(compiled, samples, cpu, tmp_path)
    assert found == traces.expected(data, compiled, samples)
