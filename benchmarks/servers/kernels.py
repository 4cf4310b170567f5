# SPDX-License-Identifier: Apache-2.0
"""The model that all servers answer with: tinyserve's kernels for this processor, from a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyserve import bundle
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import Target


class Kernels:
    """One input and one output of int8, one sample at a time."""

    def __init__(self, path: Path) -> None:
        made = bundle.load(path)
        self._model = HostModel(compile_model(made.model_bytes(), Target(frozenset({"host"})), "model"))
        (self._output,) = made.manifest.outputs

    def run(self, sample: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        (raw,) = self._model.run_bytes((sample.tobytes(),))
        return np.frombuffer(raw, np.int8).reshape(self._output.shape)
