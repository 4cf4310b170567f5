# SPDX-License-Identifier: Apache-2.0
"""A model as it is served: its bytes, its inputs and outputs, and a known answer that members must give."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tinyserve import bundle, workflow
from tinyserve.bench.scenarios.outputs import alike
from tinyserve.bundle import Bundle, TensorInfo
from tinyserve.errors import DataError, ModelError, TinyserveError
from tinyserve.progress import Progress
from tinyserve.serve.config import FleetConfig
from tinyserve.serve.request import Array, Done, InferAnswer, Sample, Wanted, as_object_array

if TYPE_CHECKING:
    from tinyserve.compiler.compile import Compiled
    from tinyserve.compiler.host.model import HostModel

DATATYPES = {
    "bool": "BOOL", "int8": "INT8", "uint8": "UINT8", "int16": "INT16", "uint16": "UINT16", "int32": "INT32",
    "uint32": "UINT32", "int64": "INT64", "uint64": "UINT64", "float16": "FP16", "float32": "FP32",
    "float64": "FP64",
}  # fmt: skip
"""The protocol's names of types, by ours."""
_BODY_BYTES = 1 << 16
_VALUE_BYTES = 64


@dataclass(frozen=True)
class Served:
    """A model of fleet.toml. ``made`` is its bundle; ``version`` what clients know it by."""

    name: str
    version: str
    made: Bundle

    @property
    def sha256(self) -> str:
        """Of model.tflite."""
        return self.made.manifest.model_sha256

    @property
    def inputs(self) -> list[TensorInfo]:
        return self.made.manifest.inputs

    @property
    def outputs(self) -> list[TensorInfo]:
        return self.made.manifest.outputs

    @property
    def labels(self) -> list[str]:
        return self.made.manifest.labels

    @cached_property
    def batches(self) -> bool:
        """Whether a request may hold several samples: all inputs and outputs have a batch axis of 1."""
        return all(info.shape[:1] == [1] and len(info.shape) > 1 for info in (*self.inputs, *self.outputs))

    @cached_property
    def label_output(self) -> str:
        """The name of a further output (BYTES, one per sample): the best class of output 0 by its name.

        "" for a model without names of classes.
        """
        first = self.outputs[0] if self.outputs else None
        if first is None or not self.labels or _classes(first, self) != len(self.labels):
            return ""
        taken = {info.name for info in self.outputs}
        return next(name for name in ("label", "class_label", "tinyserve_label") if name not in taken)

    @property
    def output_names(self) -> list[str]:
        """What may be asked for."""
        return [info.name for info in self.outputs] + ([self.label_output] if self.label_output else [])

    def body_bytes(self, samples: int) -> int:
        """More than any request takes that holds so many samples, as JSON with each value on a line of its
        own: a longer one is not worth being read, which would hold up others."""
        return _BODY_BYTES + samples * sum(math.prod(info.shape) for info in self.inputs) * _VALUE_BYTES

    @cached_property
    def stateful(self) -> bool:
        """Whether an inference depends on those before it."""
        return any(buffer.kind == "state" for buffer in self._compiled.program.buffers)

    @cached_property
    def has_events(self) -> bool:
        """Whether its inferences say what happened in them."""
        return bool(self._compiled.program.events.sources)

    @cached_property
    def _compiled(self) -> Compiled:
        from tinyserve.compiler.compile import compile_model
        from tinyserve.compiler.host.model import FAST

        return compile_model(self.made.model_bytes(), FAST, "model")

    def host_model(self) -> HostModel:
        """The model on this computer, with state of its own."""
        from tinyserve.compiler.host.model import HostModel

        return HostModel(self._compiled)

    @cached_property
    def golden(self) -> tuple[Sample, Sample]:
        """Inputs, and the outputs that they must give: of the first held-out sample, else of zeros."""
        inputs = tuple(bytes(nbytes(info)) for info in self.inputs)
        if self.made.manifest.samples:
            held = self.made.samples()
            rows = [
                np.ascontiguousarray(array[0], info.dtype)
                for array, info in zip(held.inputs, self.inputs, strict=True)
            ]
            if all(row.nbytes == nbytes(info) for row, info in zip(rows, self.inputs, strict=True)):
                inputs = tuple(row.tobytes() for row in rows)
        return inputs, self.expected(inputs)

    def expected(self, sample: Sample) -> Sample:
        """What this computer's kernels give for a sample, from the initial state. From any thread."""
        with self._reference[0]:
            self._reference[1].reset()
            return tuple(self._reference[1].run_bytes(sample))

    @cached_property
    def _reference(self) -> tuple[threading.Lock, HostModel]:
        return threading.Lock(), self.host_model()

    def agrees(self, outputs: Sample, expected: Sample) -> bool:
        """Whether outputs are those expected: the same bytes; float32 within a thousandth, since cores sum in
        other orders."""
        return all(
            got == wanted or (info.dtype == "float32" and _close(got, wanted))
            for got, wanted, info in zip(outputs, expected, self.outputs, strict=True)
        )


def load(name: str, config: FleetConfig, progress: Progress) -> Served:
    """The model of that name in fleet.toml, converted where it is no bundle yet. Raises what ``workflow``
    does."""
    table = config.models[name]
    source = config.path(table.source)
    conversion = workflow.Conversion(
        representative=table.representative or None,
        quantize=table.quantize,
        output=None if workflow.is_bundle(source) else config.path(f"build/{name}.bundle"),
    )
    try:
        served = Served(name, table.version, workflow.to_bundle(source, conversion, progress))
    except TinyserveError as error:
        error.message = f"models.{name}: {error.message}"
        raise
    unknown = [info for info in (*served.inputs, *served.outputs) if info.dtype not in DATATYPES]
    if unknown:
        raise ModelError(f"models.{name}: {unknown[0].name} is {unknown[0].dtype}, which the protocol lacks")
    return served


def nbytes(info: TensorInfo) -> int:
    """Bytes of one sample."""
    return math.prod(info.shape) * np.dtype(info.dtype).itemsize


def samples_of(arrays: Sequence[Array], model: Served) -> list[Sample]:
    """Arrays of the model's inputs, in their order and types, as samples.

    Raises DataError for other shapes.
    """
    lengths = set()
    for array, info in zip(arrays, model.inputs, strict=True):
        if list(array.shape) == info.shape and not model.batches:
            lengths.add(1)
        elif model.batches and list(array.shape[1:]) == info.shape[1:] and array.ndim:
            lengths.add(array.shape[0])
        else:
            shown = [-1, *info.shape[1:]] if model.batches else info.shape
            raise DataError(f"input {info.name} has shape {list(array.shape)}, the model takes {shown}")
    if len(lengths) != 1 or 0 in lengths:
        raise DataError(f"the inputs hold {sorted(lengths)} samples", "as many in each, at least one")
    count = lengths.pop()
    if not model.batches:
        return [tuple(np.ascontiguousarray(array).tobytes() for array in arrays)]
    columns = [_rows(array, count) for array in arrays]
    return list(zip(*columns, strict=True))


def _rows(array: Array, count: int) -> list[bytes]:
    raw = np.ascontiguousarray(array).tobytes()
    size = len(raw) // count
    return [raw] if count == 1 else [raw[i * size : (i + 1) * size] for i in range(count)]


def answer(model: Served, done: list[Done], wanted: Sequence[Wanted], real: bool = False) -> InferAnswer:
    """The outputs that were asked for (none named: all). ``real``: dequantized, as float32.

    The names were checked when the request was read.
    """
    asked = wanted or [Wanted(info.name) for info in model.outputs]
    places = {info.name: index for index, info in enumerate(model.outputs)}
    outputs = {}
    for one in asked:
        if one.name not in places:
            outputs[one.name] = _labels(model, done)
            continue
        index = places[one.name]
        info = model.outputs[index]
        raw = b"".join(sample.ran.outputs[index] for sample in done)
        array = np.frombuffer(raw, info.dtype).reshape(_shape(info, len(done), model))
        if one.classes:
            array = _classified(array, info, one.classes, model)
        elif real and info.scale:
            array = bundle.dequantize(array, info)
        outputs[one.name] = array
    return InferAnswer(model.name, model.version, model.sha256, done, outputs)


def _labels(model: Served, done: Sequence[Done]) -> Array:
    info = model.outputs[0]
    raw = b"".join(sample.ran.outputs[0] for sample in done)
    values = bundle.dequantize(np.frombuffer(raw, info.dtype).reshape(_shape(info, len(done), model)), info)
    best = values.reshape(len(done), -1).argmax(axis=1)
    array = as_object_array([[model.labels[index].encode()] for index in best])
    return array if model.batches else array[0]


def _classes(info: TensorInfo, model: Served) -> int:
    return math.prod(info.shape[1:] if model.batches else info.shape)


def _shape(info: TensorInfo, count: int, model: Served) -> list[int]:
    return [count, *info.shape[1:]] if model.batches else info.shape


def _classified(array: Array, info: TensorInfo, count: int, model: Served) -> Array:
    """ "value:index[:label]" of the best, in real units, as Triton writes them."""
    values = bundle.dequantize(array, info).reshape(len(array) if model.batches else 1, -1)
    labels = model.labels if len(model.labels) == values.shape[1] else None
    rows = []
    for row in values:
        best = np.argsort(-row, kind="stable")[:count]
        rows.append([f"{row[i]:f}:{i}{f':{labels[i]}' if labels else ''}".encode() for i in best])
    return as_object_array(rows)


def _close(got: bytes, wanted: bytes) -> bool:
    return bool(alike(np.frombuffer(got, np.float32), np.frombuffer(wanted, np.float32)).all())
