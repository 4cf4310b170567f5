# SPDX-License-Identifier: Apache-2.0
"""The arena that TFLM needs for a model, measured by TFLM itself.

The smallest arena with which the interpreter of the ``tflite-micro`` package allocates its tensors, found by
bisection in a child process (a refusal may abort it). That interpreter is a 64-bit build with reference
kernels. On a 32-bit target its bookkeeping is smaller; kernels optimized for a target may want scratch memory
that the reference kernels do not, and that is what the margin is for.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tinyserve.compiler.program import Target
from tinyserve.errors import ModelError, ToolError

TIMEOUT_S = 120.0
MARGIN_BYTES = 1024
MARGIN_SHARE = 8
MVE_MARGIN_BYTES = 8192
"""Helium kernels of CMSIS-NN take the most scratch: up to 6,688 bytes more on the MLPerf Tiny models."""
_REFUSED = 3
_LARGEST = 1 << 26  # no microcontroller has more
_STEP = 16


@dataclass(frozen=True)
class Arena:
    """Bytes that TFLM measured, and what is added to be safe."""

    measured_bytes: int
    margin_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.measured_bytes + self.margin_bytes


def arena_for(data: bytes, target: Target) -> Arena:
    """The arena of a .tflite file on a target. Raises ToolError without the tflite-micro package, ModelError
    where TFLM refuses the model."""
    measured = measure(data)
    margin = MARGIN_BYTES + measured // MARGIN_SHARE
    if "mve" in target.features:
        margin += MVE_MARGIN_BYTES
    return Arena(measured, -(-margin // _STEP) * _STEP)


def measure(data: bytes, timeout_s: float = TIMEOUT_S) -> int:
    """The smallest arena in bytes, in steps of 16. Raises as ``arena_for`` does."""
    command = [sys.executable, str(Path(__file__))]
    try:
        finished = subprocess.run(command, input=data, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"TFLM did not size the arena within {timeout_s:g} s", "try again") from error
    words = finished.stderr.decode(errors="replace").strip().splitlines()
    if finished.returncode == 0:
        return int(finished.stdout.split()[-1])
    if b"tflite_micro" in finished.stderr and b"ModuleNotFoundError" in finished.stderr:
        raise ToolError("TFLM, which sizes the arena, is not installed", "pip install tflite-micro")
    if finished.returncode == _REFUSED or finished.returncode < 0:
        said = f": {words[0]}" if words else ""
        raise ModelError(f"TensorFlow Lite Micro refuses the model{said}", "use --engine aot")
    raise ToolError(f"TFLM could not size the arena: {words[-1] if words else 'it said nothing'}")


def _main() -> int:
    """The child: a model on standard input, the size on standard output."""
    from tflite_micro.python.tflite_micro import runtime

    data = sys.stdin.buffer.read()

    def enough(size: int) -> bool:
        try:
            runtime.Interpreter.from_bytes(data, arena_size=size)
        except RuntimeError:
            return False
        return True

    high = 1 << 14
    while not enough(high):
        high *= 2
        if high > _LARGEST:
            return _REFUSED
    low = 0
    while high - low > _STEP:
        middle = (low + high) // 2 // _STEP * _STEP
        low, high = (low, middle) if enough(middle) else (middle, high)
    print(high)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
