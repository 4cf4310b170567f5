# SPDX-License-Identifier: Apache-2.0
"""The oracle: runs .tflite bytes through TensorFlow Lite Micro's reference kernels (`tflite-micro` wheel)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

_ARENA_BASE = 1 << 20
_ARENA_LIMIT = 512 << 20


def require() -> Any:
    """TFLM's interpreter. Skips the test where it has no wheels: anywhere but on Linux on x86."""
    return pytest.importorskip("tflite_micro.python.tflite_micro.runtime")


class Tflm:
    """An interpreter that lives across invokes, so that state is carried as on a device.

    With ``preserve`` every intermediate tensor can be read after an invoke, at the cost of a larger arena.
    RuntimeError where TFLM refuses the model (its reason goes to the process's stderr).
    """

    def __init__(
        self,
        data: bytes,
        *,
        preserve: bool = False,
        arena_bytes: int | None = None,
        custom_registerers: Sequence[str] = (),
    ) -> None:
        runtime = require()
        mode = runtime.InterpreterConfig
        self._interpreter = runtime.Interpreter.from_bytes(
            data,
            custom_op_registerers=list(custom_registerers),
            arena_size=arena_bytes or min(_ARENA_BASE + 40 * len(data), _ARENA_LIMIT),
            intrepreter_config=mode.kPreserveAllTensors if preserve else mode.kAllocationRecording,
        )

    def invoke(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        """Sets the inputs (in the model's types and shapes) and runs one inference."""
        for index, value in enumerate(inputs):
            self._interpreter.set_input(np.asarray(value, order="C"), index)
        self._interpreter.invoke()

    def output(self, index: int = 0) -> npt.NDArray[Any]:
        return np.array(self._interpreter.get_output(index))

    def tensor(self, index: int, subgraph: int = 0) -> npt.NDArray[Any]:
        """Any activation by its index in the file. Needs ``preserve``."""
        return np.array(self._interpreter.GetTensor(index, subgraph)["tensor_data"])

    def reset(self) -> None:
        """State and variables back to their initial values."""
        self._interpreter.reset()


def run(
    data: bytes, inputs: Sequence[npt.NDArray[Any]], outputs: int = 1, **options: Any
) -> list[npt.NDArray[Any]]:
    """One inference on a fresh interpreter: the first ``outputs`` outputs."""
    interpreter = Tflm(data, **options)
    interpreter.invoke(inputs)
    return [interpreter.output(index) for index in range(outputs)]
