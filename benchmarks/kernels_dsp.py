"""Instructions and estimated cycles per layer of a model on an emulated Cortex-M4: kernels for DSP against portable.

    python benchmarks/kernels_dsp.py [--portable] [--cpu cortex-m4] model.tflite...

Runs the code that ``tinyserve compile`` writes, without firmware. Prints a CRC-32 of the outputs for the input bytes
x[i] = (int8)(i * 31 + 7), which must not depend on the kernels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.arm import ArmImage, Counts, build
from tinyserve.codegen.compile import Compiled, compile_model, write
from tinyserve.codegen.program import PORTABLE, Target

DSP = Target(frozenset({"dsp", "fpu"}))


def cycles(image: ArmImage, counts: Counts) -> int:
    """Cortex-M4 without wait states: TRM table 3-1, taken branches refill in 2 cycles, neighbouring loads overlap."""
    return sum(_block_cycles(image, block) * runs for block, runs in counts.blocks.items())


def _block_cycles(image: ArmImage, block: tuple[int, int], cache: dict[tuple[int, int], int] = {}) -> int:  # noqa: B006
    if block in cache:
        return cache[block]
    total, after_load = 0, False
    for one in image.instructions(block) if block[0] & ~1 != 0x08000000 else []:
        name, operands = one.mnemonic.split(".")[0], one.op_str
        load, store = name.startswith("ldr"), name.startswith("str")
        single = (load and name != "ldrd") or (store and name != "strd")
        if name in ("ldrd", "strd"):
            cost = 3
        elif name.startswith(("ldm", "stm", "pop", "push")):
            cost = (
                1 + sum(2 if "-" not in r else 0 for r in ()) + _registers(operands) + 2 * ("pc" in operands)
            )
        elif load:
            cost = (1 if after_load else 2) + 3 * operands.startswith("pc")
        elif store:
            cost = 1
        elif name in ("sdiv", "udiv"):
            cost = 8
        elif name in ("b", "bl", "blx", "bx", "cbz", "cbnz") or (
            name.startswith("b") and len(name) == 3 and name not in ("bic", "bfi", "bfc")
        ):
            cost = 3
        else:
            cost = 1
        after_load = load and single and not operands.startswith("pc")
        total += cost
    cache[block] = total
    return total


def _registers(operands: str) -> int:
    inside = operands[operands.index("{") + 1 : operands.index("}")]
    return len(inside.split(","))


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
        image = ArmImage(elf, cpu)
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
        per_mac = (
            f"{counts.instructions / call.macs:6.2f} {cycles(image, counts) / call.macs:6.2f}"
            if call.macs
            else " " * 13
        )
        print(
            f"{call.op:18} {call.comment[:58]:58} {call.variant:9} {call.macs:>9,} {counts.instructions:>10,} {cycles(image, counts):>10,} {per_mac}"
        )
    macs = sum(call.macs for call in compiled.program.calls)
    constants = sum(c.nbytes for c in compiled.program.constants)
    print(
        f"{compiled.name}: {macs:,} MACs, {whole.instructions:,} instructions, {cycles(image, whole):,} cycles (estimate), "
        f"arena {compiled.plan.arena_bytes:,}, constants {constants:,}, code {code - constants:,}, "
        f"stack {whole.stack_bytes}, crc {crc:08x}\n"
    )


def fill(image: ArmImage, prefix: str, compiled: Compiled) -> None:
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
