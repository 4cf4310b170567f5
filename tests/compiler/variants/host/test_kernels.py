# SPDX-License-Identifier: Apache-2.0
"""The host kernels with each kind of vectors that this machine has: shapes, borders, tails."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.compiler.ops.linear import test_conv_2d, test_depthwise_conv_2d, test_fully_connected
from tests.compiler.variants import layers
from tests.support.differential import Case, check, run_c
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.special_floats import bits, with_special_values
from tinyserve.compiler.host.model import FAST
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE

_EXTENSIONS = {
    "avx512": ("avx2", "avx512f", "avx512bw", "avx512vbmi", "avx512_vnni"),
    "avx2": ("avx2",),
    "avx2 vnni": ("avx2", "avx_vnni"),
    "avx512 vnni of 256 bits": ("avx2", "avx512f", "avx512vl", "avx512_vnni"),
    "vector": (),
}

_AARCH64, _EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"
_CROSS = """#!/bin/bash
# A C compiler whose programs an emulator runs. Without sanitizers, which it does not take.
arguments=()
for argument; do [[ $argument == *sanitize* ]] || arguments+=("$argument"); done
program=${{arguments[-1]}}
{compiler} -static -march={architecture} "${{arguments[@]}}" && mv "$program" "$program.aarch64" &&
    printf '#!/bin/sh\nexec {emulator} -cpu max "$0.aarch64"\n' > "$program" && chmod +x "$program"
"""


def flags_of(vectors: str) -> list[str]:
    """The compiler's flags for one kind of vectors. Skips where the processor lacks it."""
    wanted = _EXTENSIONS[vectors]
    known = Path("/proc/cpuinfo")
    have = known.read_text().split() if known.exists() else []
    if not set(wanted) <= set(have):
        pytest.skip(f"this processor lacks {', '.join(set(wanted) - set(have))}")
    return [f"-m{name.replace('_', '')}" for name in wanted]


_SMALL = (test_conv_2d, test_depthwise_conv_2d, test_fully_connected)
_LARGER = (layers.conv_case, layers.depthwise_case, layers.fully_connected_case)


def int8_cases() -> list[Case]:
    """What the portable kernels are tested with (odd shapes, batches, extreme scales and biases), and layers
    of more channels, as far as the variant takes them."""
    cases = [module.random_case(index, "int8") for module in _SMALL for index in range(36)]
    cases += [make(index) for make in _LARGER for index in range(18)]
    cases += [many_channels_case(index) for index in range(3)]
    return [case for case in cases if takes_the_variant(case)]


def many_channels_case(index: int) -> Case:
    """A depthwise layer of stride 1 whose rows of outputs are too long to repeat its weights over."""
    r = Random(index, 422)
    channels = 130 + index

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((1, 3, 4, channels), "int8", scale=0.05, zero_point=r.zero_point())
        values = r.rng.integers(-127, 128, (1, 3, 3, channels)).astype(np.int8)
        weights = graph.constant(values, scale=[0.01] * channels, zero_point=[0] * channels, axis=3)
        y = graph.tensor((1, 3, 4, channels), "int8", scale=0.2, zero_point=r.zero_point())
        graph.op(
            "DEPTHWISE_CONV_2D", [x, weights], [y], padding="SAME", stride_h=1, stride_w=1,
            dilation_h_factor=1, dilation_w_factor=1, depth_multiplier=1,
        )  # fmt: skip
        return [x], [y]

    return case(f"many channels #{index}", r, build)


def float_cases() -> list[Case]:
    """The same of float32."""
    cases = [module.random_case(index, "float32") for module in _SMALL for index in range(20)]
    cases += [wide_float_case(index) for index in range(10)]
    cases += [with_special_values(case, index) for index, case in enumerate(cases[::5])]
    return [case for case in cases if takes_the_variant(case)]


def wide_float_case(index: int) -> Case:
    """Several blocks of channels, and a tail; more pixels than a group has."""
    r = Random(index, 421)
    size, inputs, channels = r.integer(1, 5), r.integer(1, 6), r.integer(17, 90)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((1, size, size, inputs), "float32")
        weights = graph.constant(r.values((channels, 3, 3, inputs), "float32"))
        y = graph.tensor((1, size, size, channels), "float32")
        taps = graph.constant(r.values((1, 3, 3, channels), "float32"))
        z = graph.tensor((1, size, size, channels), "float32")
        one: dict[str, Any] = {
            "padding": "SAME",
            "stride_h": 1,
            "stride_w": 1,
            "dilation_h_factor": 1,
            "dilation_w_factor": 1,
        }
        graph.op("CONV_2D", [x, weights, graph.constant(r.values((channels,), "float32"))], [y], **one)
        graph.op("DEPTHWISE_CONV_2D", [y, taps], [z], depth_multiplier=1, **one)
        return [x], [z]

    return case(f"wide float #{index}", r, build)


@pytest.mark.parametrize("vectors", list(_EXTENSIONS))
def test_bytes_equal_tflm(vectors: str, tmp_path: Path) -> None:
    check(int8_cases(), tmp_path, at_least=100, target=FAST, flags=flags_of(vectors))


@pytest.mark.parametrize("vectors", ["avx512", "avx2", "vector"])
def test_float_bits_equal_the_portable_kernels(vectors: str, tmp_path: Path) -> None:
    flags, cases = flags_of(vectors), float_cases()
    assert len(cases) > 40
    fast, portable = (
        run_c([(lower(load(case.model), t, "case"), case.samples) for case in cases], tmp_path, flags)
        for t in (FAST, PORTABLE)
    )
    for one_case, ours, theirs in zip(cases, fast, portable, strict=True):
        # The portable kernels run once more for each overlap that they permit.
        for one, other in zip(ours, theirs[: len(ours)], strict=True):
            assert [bits(o) for o in one.outputs] == [bits(o) for o in other.outputs], one_case.label


@pytest.mark.skipif(
    not (shutil.which(_AARCH64) and shutil.which(_EMULATOR)), reason=f"needs {_AARCH64}, qemu"
)
@pytest.mark.parametrize("architecture", ["armv8.2-a+dotprod", "armv8.6-a"])
def test_bytes_equal_tflm_on_an_emulated_aarch64(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text(_CROSS.format(architecture=architecture, compiler=_AARCH64, emulator=_EMULATOR))
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    check(int8_cases()[::3], tmp_path, at_least=35, target=FAST)


def takes_the_variant(case: Case) -> bool:
    return any(call.variant == "host" for call in lower(load(case.model), FAST, "case").calls)
