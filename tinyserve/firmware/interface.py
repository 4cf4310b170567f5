# SPDX-License-Identifier: Apache-2.0
"""What the firmware's protocol has to know of a model: its inputs, outputs and sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.graph.types import Tensor
from tinyserve.compiler.program import BandCall

_UNSIGNED = ("uint8", "uint16", "uint32", "bool")


@dataclass(frozen=True)
class TensorInterface:
    """An input or output. real = (stored - zero_point) * scale_mantissa * 2**scale_exponent, exactly."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    element_bytes: int
    kind: Literal["SIGNED", "UNSIGNED", "FLOAT"]
    zero_point: int
    scale_mantissa: int
    scale_exponent: int

    @property
    def channels(self) -> int:
        """The extent of the last axis."""
        return min(self.shape[-1] if self.shape else 1, 0xFFFF)


@dataclass(frozen=True)
class ModelInterface:
    """A compiled model from outside. ``name`` is the one in its C identifiers, ``header`` declares them.

    ``stateful``: an inference depends on those before it. ``events``: how many it may give at most.
    ``by_rows``: layers are computed by rows, so that steps of an inference are more than layers.
    ``input_rows``: of an input that is fed by rows, 0 where it is handed over as a whole.
    """

    name: str
    header: str
    sha256: str
    arena_bytes: int
    layers: int
    inputs: tuple[TensorInterface, ...]
    outputs: tuple[TensorInterface, ...]
    stateful: bool = False
    events: int = 0
    by_rows: bool = False
    input_rows: int = 0

    @property
    def input_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.inputs)


def interface_of(compiled: Compiled) -> ModelInterface:
    """The interface of a model that the aot engine compiled."""
    program = compiled.program
    return ModelInterface(
        name=program.name,
        header=f"{program.name}.h",
        sha256=program.model_sha256,
        arena_bytes=compiled.plan.arena_bytes,
        layers=len(program.calls),
        inputs=tuple(_tensor(t) for t in program.input_tensors),
        outputs=tuple(_tensor(t) for t in program.output_tensors),
        stateful=_is_stateful(compiled),
        events=len(program.events.sources),
        by_rows=any(isinstance(call, BandCall) for call in program.calls),
        input_rows=program.fed_rows.height if program.fed_rows is not None else 0,
    )


def _is_stateful(compiled: Compiled) -> bool:
    """By the plan; the interpreter has none, and its model says it less clearly."""
    if compiled.plan.offsets:
        return any(
            buffer.kind == "state"
            and not (buffer.tensor is not None and _is_renewed(compiled, buffer.tensor))
            for buffer in compiled.plan.offsets
        )
    return compiled.model.keeps_state


def _is_renewed(compiled: Compiled, tensor: Tensor) -> bool:
    """Whether each inference writes the variable before it reads it."""
    return not any(graph.remembers(tensor) for graph in compiled.model.graphs if tensor in graph.tensors)


def _tensor(tensor: Tensor) -> TensorInterface:
    dtype = tensor.dtype.value
    mantissa, exponent = _exact_scale(tensor.scale) if tensor.quantization else (1, 0)
    return TensorInterface(
        name=tensor.name.replace("*/", "* /"),
        dtype=dtype,
        shape=tensor.shape,
        nbytes=tensor.nbytes,
        element_bytes=tensor.dtype.itemsize,
        kind="FLOAT" if dtype == "float32" else "UNSIGNED" if dtype in _UNSIGNED else "SIGNED",
        zero_point=tensor.zero_point,
        scale_mantissa=mantissa,
        scale_exponent=exponent,
    )


def _exact_scale(scale: float) -> tuple[int, int]:
    """Mantissa (at most 24 bits) and power of two of a float32 scale."""
    fraction, exponent = math.frexp(float(np.float32(scale)))
    mantissa = round(fraction * (1 << 24))
    return mantissa, exponent - 24
