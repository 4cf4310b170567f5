# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the kernels: no cell takes more instructions than the baseline, and outputs are TFLM's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from tests.support.models import INT8_CRC
from tests.support.places import CHECKOUT

SCRIPT = CHECKOUT / "benchmarks" / "kernels.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_kernels", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


kernels = _load()


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.parametrize("cell", kernels.CELLS, ids=lambda cell: f"{cell.model}-{cell.core}-{cell.optimize}")
def test_no_cell_takes_more_instructions_than_the_baseline(cell: object) -> None:
    directory = os.environ.get("TINYSERVE_MODELS")
    if not directory:
        pytest.skip("TINYSERVE_MODELS is not set")
    if shutil.which("qemu-system-arm") is None and getattr(cell, "core", "") == "cortex-m55":
        pytest.skip("needs QEMU")
    measured = kernels.measure(cell, Path(directory))
    assert kernels.regressions([measured], kernels.load_baseline()) == []


def test_the_baseline_has_every_cell_once() -> None:
    known = [one.cell for one in kernels.load_baseline()]
    assert sorted(known) == sorted((cell.model, cell.core, cell.optimize) for cell in kernels.CELLS)


def test_one_instruction_more_is_a_regression_and_one_less_is_none() -> None:
    (first, *_) = baseline = kernels.load_baseline()
    worse = msgspec.structs.replace(first, instructions=first.instructions + 1)
    better = msgspec.structs.replace(first, instructions=first.instructions - 1)
    assert kernels.regressions([better, first], baseline) == []
    (line,) = kernels.regressions([worse], baseline)
    assert first.model in line and f"{worse.instructions:,}" in line


def test_peers_are_of_the_models_in_the_table() -> None:
    peers = kernels.load_peers()
    assert {one.model for one in peers.published} == set(INT8_CRC) == set(kernels.INT8_CRC)
    for engine in peers.engines:
        assert set(engine.instructions) <= {cell.model for cell in kernels.CELLS}
        assert engine.how
