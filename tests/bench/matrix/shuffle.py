# SPDX-License-Identifier: Apache-2.0
"""A cell whose model has an operator from outside: the example's."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from tests.support.places import CHECKOUT
from tinyserve import workflow
from tinyserve.bench.matrix.cell import Cell
from tinyserve.compiler.ops.support import external
from tinyserve.progress import silent

EXAMPLE = CHECKOUT / "examples/custom_op"


def shuffling_cell(directory: Path) -> Cell:
    """On an emulated Cortex-M4, with a copy of the operator in ``directory``."""
    copied = shutil.copytree(EXAMPLE / "ops", directory / "ops", ignore=shutil.ignore_patterns("__pycache__"))
    operators = external.checked([Path(copied)])
    model = directory / "shuffle.tflite"
    model.write_bytes(runpy.run_path(str(EXAMPLE / "model.py"))["model"]())
    conversion = workflow.Conversion(output=directory / "shuffle", operators=operators)
    made = workflow.to_bundle(model, conversion, silent)
    build = workflow.Build(emulate=True, operators=operators)
    return Cell(source=made.path, board="cortex-m4", build=build, runs=1)
