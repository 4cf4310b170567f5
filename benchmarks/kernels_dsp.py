# SPDX-License-Identifier: Apache-2.0
"""Instructions and estimated cycles per layer of a model on an emulated core: kernels for DSP or portable.

    python benchmarks/kernels_dsp.py [--portable] [--cpu cortex-m4] model.tflite...

Runs the code that ``tinyserve compile`` writes, without firmware. Prints a CRC-32 of the outputs for the
input bytes x[i] = (int8)(i * 31 + 7), which must not depend on the kernels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.core import CoreImage, Counts, build
from tinyserve.bench.counts.cycles import estimate
from tinyserve.compiler.compile import Compiled, compile_model, write
from tinyserve.compiler.program import PORTABLE, Target

DSP = Target(frozenset({"dsp", "fpu"}))


@dataclass(frozen=True)
class Ran:
    """A basic block of an image and how often it ran (bench.cycles.Block)."""

    address: int
    bytes: int
    instructions: int
    count: int


@dataclass(frozen=True)
class Code:
    """bench.cycles.Code of an image."""

    image: CoreImage

    def read_memory(self, address: int, size: int) -> bytes:
        return self.image.read(address, size)


def cycles(image: CoreImage, counts: Counts, cpu: str) -> str:
    """The estimate's range in thousands, without wait states."""
    exit_page = 0x08000000
    blocks = [
        Ran(address & ~1, size, len(image.instructions((address, size))), runs)
        for (address, size), runs in counts.blocks.items()
        if address & ~1 != exit_page
    ]
    found = estimate(blocks, Code(image), cpu)
    return f"{found.low / 1e3:,.0f}-{found.high / 1e3:,.0f}" if found else "?"


def measure(compiled: Compiled, cpu: str) -> None:
    """Prints a line per layer and one for the whole."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write(compiled, directory)
        prefix = f"ts_{compiled.name}_"
        keep = [prefix + f for f in ("init", "input", "invoke", "output", "invoke_layer")]
        elf = build(
            [directory / s for s in compiled.sources.compile],
            directory,
            keep,
            cpu,
            (f"{prefix.upper()}PROFILE",),
        )
        image = CoreImage(elf, cpu)
    image.call(prefix + "init")
    code = sum(size for n, (address, size) in image.symbols.items() if address < 0x2000_0000)
    fill(image, prefix, compiled)
    whole = image.call(prefix + "invoke")
    crc = 0
    for index, tensor in enumerate(compiled.program.output_tensors):
        image.call(prefix + "output", index)
        crc = zlib.crc32(image.read(image.result, tensor.nbytes), crc)
    fill(image, prefix, compiled)
    for index, call in enumerate(compiled.program.calls):
        counts = image.call(prefix + "invoke_layer", index)
        per_mac = f"{counts.instructions / call.macs:6.2f}" if call.macs else " " * 6
        print(
            f"{call.op[:14]:14} {call.comment[:58]:58} {call.variant:9} {call.macs:>9,} "
            f"{counts.instructions:>10,} {per_mac} {cycles(image, counts, cpu):>15}"
        )
    macs = sum(call.macs for call in compiled.program.calls)
    constants = sum(c.nbytes for c in compiled.program.constants)
    print(
        f"{compiled.name}: {macs:,} MACs, {whole.instructions:,} instructions, "
        f"{cycles(image, whole, cpu)} thousand cycles (estimate), arena {compiled.plan.arena_bytes:,}, "
        f"constants {constants:,}, code {code - constants:,}, stack {whole.stack_bytes}, crc {crc:08x}\n"
    )


def fill(image: CoreImage, prefix: str, compiled: Compiled) -> None:
    """Writes the test pattern to all inputs."""
    for index, tensor in enumerate(compiled.program.input_tensors):
        image.call(prefix + "input", index)
        pattern = (np.arange(tensor.nbytes, dtype=np.int64) * 31 + 7).astype(np.int8)
        if tensor.dtype.value == "float32":
            pattern = ((pattern[: tensor.elements]).astype(np.float32) / 32).view(np.int8)
        image.write(image.result, pattern.tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--portable", action="store_true")
    parser.add_argument("--cpu", default="cortex-m4")
    arguments = parser.parse_args()
    for path in arguments.models:
        target = PORTABLE if arguments.portable else DSP
        measure(compile_model(path.read_bytes(), target, path.stem.lower()), arguments.cpu)


if __name__ == "__main__":
    main()
