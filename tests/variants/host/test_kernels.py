"""The host kernels with each kind of vectors that this machine has, against TFLM: shapes, borders, tails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ops import test_conv_2d, test_depthwise_conv_2d, test_fully_connected
from tests.support.differential import Case, check
from tests.variants import layers
from tinyserve.codegen.host import FAST
from tinyserve.codegen.lower import lower
from tinyserve.passes.load import load

_EXTENSIONS = {
    "avx512": ("avx2", "avx512f", "avx512bw", "avx512vbmi", "avx512_vnni"),
    "avx2": ("avx2",),
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


def cases() -> list[Case]:
    """What the portable kernels are tested with (odd shapes, batches, extreme scales and biases), and layers
    of more channels."""
    small = (test_conv_2d, test_depthwise_conv_2d, test_fully_connected)
    larger = (layers.conv_case, layers.depthwise_case, layers.fully_connected_case)
    return [
        *(module.random_case(index, "int8") for module in small for index in range(50)),
        *(make(index) for make in larger for index in range(25)),
    ]


@pytest.mark.parametrize("vectors", list(_EXTENSIONS))
def test_bytes_equal_tflm(vectors: str, tmp_path: Path) -> None:
    flags = flags_of(vectors)
    taken = [case for case in cases() if takes_the_variant(case)]
    check(taken, tmp_path, at_least=150, target=FAST, flags=flags)


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
    taken = [case for case in cases()[::3] if takes_the_variant(case)]
    check(taken, tmp_path, at_least=50, target=FAST)


def takes_the_variant(case: Case) -> bool:
    return any(call.variant == "host" for call in lower(load(case.model), FAST, "case").calls)
