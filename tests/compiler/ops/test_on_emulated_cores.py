# SPDX-License-Identifier: Apache-2.0
"""A subset of the differential cases on emulated cores, through the whole firmware: TFLM's bytes.

Each core compiles the cases with its own kernels (DSP, Helium, Armv6-M, RV32M); the portable ones are
compared on this computer, for each operator, by the tests beside this one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.elementwise import (
    test_add,
    test_comparison,
    test_maximum,
    test_mul,
    test_prelu,
    test_quantize,
    test_squared_difference,
    test_unary,
)
from tests.compiler.ops.linear import (
    test_batch_matmul,
    test_conv_2d,
    test_depthwise_conv_2d,
    test_fully_connected,
    test_transpose_conv,
)
from tests.compiler.ops.movement import (
    test_gather,
    test_mirror_pad,
    test_pad,
    test_resize,
    test_slice,
    test_space_to_batch_nd,
    test_transpose,
)
from tests.compiler.ops.recurrent import test_svdf
from tests.compiler.ops.reduction import test_arg_max, test_pool_2d, test_reduce, test_softmax
from tests.compiler.variants import layers
from tests.support.differential import Array, Case, run_tflm
from tests.support.graphs.random_graph import random_graph
from tests.support.merge import merge
from tests.support.run_time import computed_weights
from tinyserve import boards
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.devices import open_device, select_emulator
from tinyserve.devices.client import Client
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render
from tinyserve.workflow import target

CORES = ["cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55", "rv32imc"]
FAST = {
    "cortex-m0": "thumb1",
    "cortex-m4": "dsp",
    "cortex-m33": "dsp",
    "cortex-m55": "mve",
    "rv32imc": "rv32m",
}
SAMPLES = 3

# How to make each, and how many. Layers with variants come often; int16 accumulates in 64 bits.
# Last, whole graphs.
CASES: list[tuple[Callable[[int], Case], int]] = [
    (layers.conv_case, 6),
    (layers.depthwise_case, 6),
    (layers.fully_connected_case, 5),
    (layers.add_case, 3),
    (lambda i: test_conv_2d.random_case(i, "int16"), 2),
    (lambda i: test_depthwise_conv_2d.random_case(i, "int16"), 2),
    (lambda i: test_fully_connected.random_case(i, "int16"), 2),
    (lambda i: test_transpose_conv.random_case(i, "int8"), 2),
    (lambda i: test_batch_matmul.random_case(i, "int8"), 2),
    (lambda i: test_svdf.random_case(i, "int8"), 1),
    (lambda i: test_add.random_case(i, "ADD", "int16"), 2),
    (lambda i: test_add.random_case(i, "SUB", "int8"), 2),
    (lambda i: test_mul.random_case(i, "int8"), 2),
    (lambda i: test_squared_difference.random_case(i, "int8"), 1),
    (lambda i: test_maximum.random_case(i, "MAXIMUM", "int8"), 1),
    (lambda i: test_comparison.random_case(i, "LESS", "int8"), 1),
    (lambda i: test_pool_2d.random_case(i, "AVERAGE_POOL_2D", "int8"), 2),
    (lambda i: test_pool_2d.random_case(i, "MAX_POOL_2D", "int16"), 1),
    (lambda i: test_reduce.random_case(i, "MEAN", "int8"), 2),
    (lambda i: test_softmax.random_case(i, "int8", "int8"), 2),
    (lambda i: test_softmax.random_case(i, "int16", "int16"), 1),
    (lambda i: test_unary.random_case(i, "LOGISTIC", "int8"), 1),
    (lambda i: test_unary.random_case(i, "TANH", "int16"), 1),
    (lambda i: test_unary.random_case(i, "LEAKY_RELU", "int8"), 1),
    (lambda i: test_unary.random_case(i, "HARD_SWISH", "int8"), 1),
    (lambda i: test_prelu.random_case(i, "int8"), 1),
    (lambda i: test_pad.random_case(i, "PAD", "int8"), 1),
    (lambda i: test_resize.random_case(i, "RESIZE_BILINEAR", "int8"), 1),
    (lambda i: test_gather.random_case(i, "int8"), 1),
    (lambda i: test_slice.strided_slice_case(i, "int8"), 1),
    (lambda i: test_transpose.transpose_case(i, "int16"), 1),
    (lambda i: computed_weights(test_conv_2d.random_case(i, "int8"), i), 2),
    (lambda i: computed_weights(test_fully_connected.random_case(i, "int16"), i), 1),
    (lambda i: computed_weights(test_depthwise_conv_2d.random_case(i, "int8"), i), 1),
    (lambda i: test_slice.computed_slice_case(i, "int8"), 1),
    (lambda i: test_reduce.computed_case(i, "MEAN", "int8"), 1),
    (lambda i: test_arg_max.computed_case(i, "ARG_MAX", "int8"), 1),
    (lambda i: test_mirror_pad.computed_case(i, "int8"), 1),
    (lambda i: test_space_to_batch_nd.computed_case(i, "BATCH_TO_SPACE_ND", "int8"), 1),
    (lambda i: test_quantize.quantize(i, "float32", "int8"), 2),
    (lambda i: test_quantize.dequantize(i, ("int8", "uint8", "int16")[i % 3]), 3),
    (lambda i: random_graph(i, floats=False).case, 12),
]

# Sums of products of floats in TFLM's order, which cores without floating point form from integers.
FLOAT_CASES: list[tuple[Callable[[int], Case], int]] = [
    (lambda i: test_conv_2d.random_case(i, "float32"), 4),
    (lambda i: test_depthwise_conv_2d.random_case(i, "float32"), 4),
    (lambda i: test_fully_connected.random_case(i, "float32"), 4),
    (lambda i: test_batch_matmul.random_case(i, "float32"), 2),
]


Expected = list[tuple[Case, list[list[Array]]]]


@pytest.fixture(scope="module")
def cases() -> Expected:
    return expected(CASES)


@pytest.fixture(scope="module")
def float_cases() -> Expected:
    return expected(FLOAT_CASES)


def expected(makers: list[tuple[Callable[[int], Case], int]]) -> Expected:
    """The cases that TFLM takes, with its outputs of each sample."""
    made = [make(1000 + index) for make, count in makers for index in range(count)]
    outputs = run_tflm(made)
    ran = [(case, given) for case, given in zip(made, outputs, strict=True) if not isinstance(given, str)]
    assert len(ran) >= 0.8 * len(made), "TFLM refused too many of the cases"
    return ran


@pytest.mark.parametrize("core", CORES)
def test_the_firmware_gives_tflm_s_bytes(core: str, cases: Expected, tmp_path: Path) -> None:
    check_firmware(core, cases, tmp_path, variants=True)


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m3", "rv32imc"])
def test_floats_from_integers_are_tflm_s(core: str, float_cases: Expected, tmp_path: Path) -> None:
    check_firmware(core, float_cases, tmp_path, variants=False)


def check_firmware(core: str, cases: Expected, tmp_path: Path, *, variants: bool) -> None:
    board = boards.load(core)
    if select_emulator(board).kind == "qemu" and shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU")
    compiled = compile_model(merge([case.model for case, _ in cases]), target(board, "balanced"), "model")
    if variants:
        _check_variants(core, compiled)
    firmware = build(render(compiled, board, tmp_path, emulate=True))
    with open_device(firmware, board) as device:
        client = Client(device.link)
        client.identify()
        for sample in range(SAMPLES):
            inputs = [array for case, _ in cases for array in case.samples[sample % len(case.samples)]]
            for index, array in enumerate(inputs):
                client.load(np.ascontiguousarray(array).tobytes(), index)
            client.infer(1, 0)
            got = [bytes(output) for output in client.outputs()]
            wanted = [(case.label, array) for case, given in cases for array in given[sample % len(given)]]
            wrong = [
                label
                for (label, array), have in zip(wanted, got, strict=True)
                if np.ascontiguousarray(array).tobytes() != have
            ]
            assert not wrong, (
                f"{core}, sample {sample}: {len(wrong)} of {len(wanted)} outputs differ: {wrong[:5]}"
            )


def _check_variants(core: str, compiled: Compiled) -> None:
    """The core's own kernels are among what is compared."""
    taken = {call.variant for call in compiled.program.calls}
    wanted = FAST.get(core, "portable")
    assert any(variant.startswith(wanted) for variant in taken), f"{core} has the variants {sorted(taken)}"
