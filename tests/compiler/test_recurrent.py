# SPDX-License-Identifier: Apache-2.0
"""Unrolled recurrent layers: every turn has the answer of TFLM's, and what turns have in common is in flash
once."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.support.differential import Case, run_tflm
from tests.support.graphs.recurrent import GATES, Unrolled, any_layer
from tinyserve.compiler.compile import Compiled, compile_model, write
from tinyserve.compiler.host.build import find_compiler
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import Interface, Target

SETS = {
    "portable": frozenset[str](),
    "Cortex-M4": frozenset({"dsp"}),
    "Cortex-M0": frozenset({"thumb1"}),
    "Cortex-M55": frozenset({"dsp", "mve"}),
    "RV32IMC": frozenset({"rv32m"}),
}


def constants(compiled: Compiled) -> int:
    return sum(constant.nbytes for constant in compiled.program.constants)


def functions(compiled: Compiled) -> int:
    source = compiled.sources.files["model.c"]
    assert isinstance(source, str)
    return len(re.findall(r"^TS_LAYER ", source, re.MULTILINE))


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("cores", SETS)
def test_a_layer_takes_flash_for_its_parameters_whatever_its_turns(kind: str, cores: str) -> None:
    r = Random(17, 1)
    layer = any_layer(r, kind=kind, turns=r.integer(5, 10))
    compiled = compile_model(layer.model(), Target(features=SETS[cores]))
    tables = 4 * 1024 + 6 * 256
    assert constants(compiled) <= 4.5 * layer.parameters + tables, layer
    assert functions(compiled) <= 2 * layer.turns + 50, layer
    of_a_turn = 10 * GATES[kind] * (layer.units + 3) + 4 * layer.units
    assert compiled.plan.arena_bytes <= 4 * layer.turns * (layer.features + 3) + of_a_turn + 64, layer


@pytest.mark.parametrize("cores", SETS)
def test_turns_with_scales_of_their_own_still_share_weights(cores: str) -> None:
    """As a .tflite has them that another tool quantized: multipliers and activations differ by turn."""
    layer = Unrolled("GRU", turns=8, features=6, units=23, own=True)
    compiled = compile_model(layer.model(), Target(features=SETS[cores]))
    rows = 3 * layer.units
    multipliers = 20 if cores == "RV32IMC" else 9
    assert constants(compiled) <= 2 * layer.parameters + layer.turns * (4 * 256 + 2 * multipliers * rows)


def test_speed_before_flash_takes_the_tables() -> None:
    layer = Unrolled("GRU", turns=6, features=3, units=8, own=True)
    sizes = [
        constants(compile_model(layer.model(), Target(frozenset({"dsp"}), optimize)))
        for optimize in ("speed", "balanced", "size")
    ]
    assert sizes[0] > sizes[1] + 5 * 1024 and sizes[1] >= sizes[2]


@pytest.mark.parametrize("instance", ["static", "caller"])
def test_shared_functions_compile_without_warnings_in_both_forms(
    instance: Literal["static", "caller"], tmp_path: Path
) -> None:
    layer = Unrolled("GRU", turns=4, features=3, units=6, own=True)
    compiled = compile_model(layer.model(), interface=Interface(instance=instance))
    source = compiled.sources.files["model.c"]
    assert isinstance(source, str) and "_kernel(void *" in source and "once more" in source
    write(compiled, tmp_path)
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-DTS_MODEL_PROFILE", "-fsyntax-only"]
    compiler = find_compiler()
    done = subprocess.run([*compiler, *flags, str(tmp_path / "model.c")], timeout=60, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    "layer",
    [
        Unrolled("GRU", 7, 3, 10),
        Unrolled("GRU", 5, 4, 8, own=True),
        Unrolled("LSTM", 6, 4, 7),
        Unrolled("RNN", 9, 2, 12, own=True),
    ],
    ids=str,
)
def test_turns_answer_as_tflm_does(layer: Unrolled) -> None:
    x = Random(17, 2).values((1, layer.turns, layer.features), "int8")
    [result] = run_tflm([Case("unrolled", layer.model(), [[x]])])
    assert not isinstance(result, str), result
    expected = result[0][0]
    [got] = HostModel(compile_model(layer.model())).run([x])
    np.testing.assert_array_equal(got, expected)
    assert len(np.unique(got)) > 3
