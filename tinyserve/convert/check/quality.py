# SPDX-License-Identifier: Apache-2.0
"""Which layer loses the accuracy: each tensor of the quantized model beside the float one's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve import bundle
from tinyserve.bundle import Bundle, TensorInfo
from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.convert.check import fidelity
from tinyserve.convert.quantize import scaling_front, signal_front
from tinyserve.convert.tflite import facts
from tinyserve.convert.tflite.facts import Inspected
from tinyserve.convert.worker import messages
from tinyserve.convert.worker.child import Worker
from tinyserve.convert.worker.loaded import save_arrays
from tinyserve.errors import DataError, UsageError
from tinyserve.progress import Progress, silent

Array = npt.NDArray[Any]
INPUT = -1
_NOTHING = np.empty(0, np.bool_)
_EXACT_DB = 6.02 * 8 + 1.76  # what counts as the SQNR of exact values: that of 8 bits at their best


@dataclass(frozen=True)
class LayerQuality:
    """What a layer writes, quantized against float, over the samples. Inputs are layers too, with
    the index ``INPUT``.

    ``saturated``: share of values that lie at an end of the quantized range while the float value lies
    beyond it. ``loss_db``: how much lower the SQNR is than that of the layer's worst input (what this layer
    loses itself; None where one of them has no value).

    Two causes of loss: ``levels`` that the middle 99 % of the float values span (few: an outlier stretches
    the range; None where the tensor is not quantized), and ``weights_lost``, the share of weights that became
    0 without having been (many: outliers among the weights; None without quantized weights). ``blurred``, of
    inputs: which feature's scale is too coarse for it.
    """

    index: int
    op: str
    tensor: str
    sqnr_db: float | None
    cosine: float | None
    max_error: float
    saturated: float
    loss_db: float | None
    levels: float | None = None
    weights_lost: float | None = None
    blurred: str = ""


def per_layer(
    made: Bundle, samples: int = 50, progress: Progress = silent, operators: tuple[Path, ...] = ()
) -> list[LayerQuality]:
    """Runs both models over held-out samples and compares every tensor that both have, in the model's order.

    The quantized values are the compiled model's own, and so those of the device. Raises UsageError where
    the bundle has no float original, DataError where it has no held-out samples in real units.
    """
    path = made.original_path()
    if path is None:
        raise UsageError(
            f"{made.path}: has no float original to compare with",
            "convert from the float model; a .tflite that was quantized elsewhere has lost it",
        )
    held = made.samples()
    if held.float_inputs is None:
        raise DataError(f"{made.path}: has no samples in real units", "convert again with this version")
    original = facts.inspect(path.read_bytes(), str(path))
    quantized = facts.inspect(made.model_bytes(), str(made.model_path))
    wanted = _traced_float(original, [array[:samples] for array in held.float_inputs], progress, operators)
    got = _traced_compiled(quantized, [array[:samples] for array in held.inputs], progress, operators)
    for info, real, raw in zip(quantized.inputs, held.float_inputs, held.inputs, strict=True):
        wanted[info.name], got[info.name] = real[:samples], bundle.dequantize(raw[:samples], info)
    return _compare(quantized, wanted, got, _weights_lost(original, quantized), made.manifest.quantize)


def _traced_float(
    model: Inspected, inputs: list[Array], progress: Progress, operators: tuple[Path, ...]
) -> dict[str, Array]:
    """Every tensor that the float model computes, by name (N, ...): from LiteRT, or compiled where LiteRT
    lacks an operator of it."""
    if signal_front.custom_operators(model.model):
        typed = [bundle.quantize(array, info) for array, info in zip(inputs, model.inputs, strict=True)]
        return _traced_compiled(model, typed, progress, operators)
    with Worker(progress) as worker:
        source, sent, received = worker.path(".tflite"), worker.path(".npz"), worker.path(".npz")
        source.write_bytes(model.data)
        save_arrays(sent, inputs)
        worker.ask(messages.RunTflite("litert", source, sent, received, tensors=True), "trace the original")
        names = {f"tensor_{tensor.index}": tensor.name for tensor in model.model.main.tensors}
        with np.load(received) as arrays:
            return {names[key]: arrays[key] for key in arrays.files if key in names}


def _traced_compiled(
    model: Inspected, inputs: list[Array], progress: Progress, operators: tuple[Path, ...]
) -> dict[str, Array]:
    """Every tensor that the compiled model computes, in real units, by name (N, ...)."""
    from tinyserve.compiler.compile import compile_model
    from tinyserve.compiler.host.model import HostModel
    from tinyserve.compiler.program import Target

    host = HostModel(compile_model(model.data, Target(operators=operators), optimize_graph=False))
    tensors = {tensor.index: tensor for tensor in model.model.main.tensors}
    rows: dict[int, list[Array]] = {}
    count = len(inputs[0])
    for sample in range(count):
        values = [array[sample].reshape(info.shape) for array, info in zip(inputs, model.inputs, strict=True)]
        for index, value in host.trace(values).items():
            rows.setdefault(index, []).append(_real(value, tensors[index]))
        progress("trace the compiled model", sample + 1, count)
    return {tensors[index].name: np.stack(values) for index, values in rows.items()}


def _real(value: Array, tensor: Tensor) -> Array:
    return bundle.dequantize(value, _info(tensor))


def _info(tensor: Tensor) -> TensorInfo:
    quantized = tensor.quantization is not None
    scale, zero_point = (tensor.scale, tensor.zero_point) if quantized else (0.0, 0)
    return TensorInfo(tensor.name, list(tensor.shape), tensor.dtype.value, scale, zero_point)


def _compare(
    model: Inspected,
    wanted: dict[str, Array],
    got: dict[str, Array],
    weights_lost: dict[str, float],
    scheme: str,
) -> list[LayerQuality]:
    graph = model.model.main
    layers = [
        _input(tensor, wanted[info.name], got[info.name], scheme)
        for tensor, info in zip(graph.inputs, model.inputs, strict=True)
        if info.scale
    ]
    sqnr = dict.fromkeys((tensor.name for tensor in graph.inputs), _EXACT_DB)
    sqnr |= {layer.tensor: layer.sqnr_db for layer in layers if layer.sqnr_db is not None}
    for node in graph.nodes:
        for tensor in node.outputs:
            if tensor.name in got and wanted.get(tensor.name, _NOTHING).dtype == np.float32:
                layer = _layer(node, tensor, wanted[tensor.name], got[tensor.name], sqnr)
                layers.append(replace(layer, weights_lost=weights_lost.get(tensor.name)))
                sqnr[tensor.name] = _EXACT_DB if layer.sqnr_db is None else layer.sqnr_db
    return layers


def _input(tensor: Tensor, wanted: Array, got: Array, scheme: str) -> LayerQuality:
    ratio = fidelity.sqnr_db(wanted, got)
    one_scale = tensor.quantization is None or not tensor.quantization.per_channel
    return LayerQuality(
        index=INPUT,
        op="input",
        tensor=tensor.name,
        sqnr_db=ratio,
        cosine=fidelity.cosine(wanted, got),
        max_error=fidelity.max_error(wanted, got),
        saturated=_saturated(tensor, wanted),
        loss_db=None if ratio is None else _EXACT_DB - ratio,
        levels=_levels(tensor, wanted),
        blurred=scaling_front.note(wanted, tensor.name, scheme) if one_scale else "",
    )


def _layer(node: Node, tensor: Tensor, wanted: Array, got: Array, sqnr: dict[str, float]) -> LayerQuality:
    got = got.reshape(wanted.shape)
    ratio = fidelity.sqnr_db(wanted, got)
    before = [sqnr[source.name] for source in node.inputs if source is not None and source.name in sqnr]
    return LayerQuality(
        index=node.index,
        op=node.name,
        tensor=tensor.name,
        sqnr_db=ratio,
        cosine=fidelity.cosine(wanted, got),
        max_error=fidelity.max_error(wanted, got),
        saturated=_saturated(tensor, wanted),
        loss_db=min(before) - ratio if before and ratio is not None else None,
        levels=_levels(tensor, wanted),
    )


def _levels(tensor: Tensor, wanted: Array) -> float | None:
    info = _info(tensor)
    if info.scale == 0.0 or wanted.size == 0:
        return None
    low, high = np.percentile(wanted, (0.5, 99.5))
    return float((high - low) / info.scale)


def _weights_lost(original: Inspected, quantized: Inspected) -> dict[str, float]:
    """By the tensor that the layer writes: the share of float weights that are 0 only when quantized."""
    floats = {t.name: node for node in original.model.main.nodes for t in node.outputs}
    lost = {}
    for node in quantized.model.main.nodes:
        name = node.outputs[0].name
        made, was = _largest_constant(node), _largest_constant(floats[name]) if name in floats else None
        if made is None or was is None or made.quantization is None or made.shape != was.shape:
            continue
        assert made.data is not None and was.data is not None
        lost[name] = float(((made.data == 0) & (was.data != 0)).sum() / max(1, np.count_nonzero(was.data)))
    return lost


def _largest_constant(node: Node) -> Tensor | None:
    """The weights of a layer that has any."""
    constants = [t for t in node.inputs if t is not None and t.data is not None and t.data.ndim >= 2]
    return max(constants, key=lambda tensor: tensor.elements, default=None)


def _saturated(tensor: Tensor, wanted: Array) -> float:
    """Share of float values beyond the range that the tensor can hold, by more than half a step."""
    info = _info(tensor)
    if info.scale == 0.0 or wanted.size == 0:
        return 0.0
    limits = np.iinfo(np.dtype(info.dtype))
    low, high = ((end - info.zero_point) * info.scale for end in (limits.min, limits.max))
    beyond = (wanted < low - info.scale / 2) | (wanted > high + info.scale / 2)
    return float(beyond.mean())
