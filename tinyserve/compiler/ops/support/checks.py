# SPDX-License-Identifier: Apache-2.0
"""Checks that operators share. Each raises one worded error and returns nothing else than what it checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.names import short_name
from tinyserve.compiler.ops.support.base import unsupported
from tinyserve.compiler.ops.support.quantize_params import INTEGER_RANGE
from tinyserve.errors import ModelError

_MAX_ELEMENTS = 1 << 24
_CORRUPT = "export the model again: the file is damaged or was written by a faulty converter"


def invalid(node: Node, reason: str) -> ModelError:
    """The error for an operator whose parts contradict each other."""
    return ModelError(f"{node.location}: {reason}", _CORRUPT)


def arity(node: Node, minimum: int, maximum: int | None = None, outputs: int = 1) -> None:
    """Number of inputs and outputs; the first ``minimum`` inputs are there; no tensor is empty or absurdly
    large.
    """
    maximum = minimum if maximum is None else maximum
    if not minimum <= len(node.inputs) <= maximum:
        wanted = str(minimum) if minimum == maximum else f"{minimum} to {maximum}"
        raise invalid(node, f"has {len(node.inputs)} inputs, needs {wanted}")
    if len(node.outputs) != outputs:
        raise invalid(node, f"has {len(node.outputs)} outputs, needs {outputs}")
    if any(tensor is None for tensor in node.inputs[:minimum]):
        raise invalid(node, "a required input is missing")
    for tensor in [*node.inputs, *node.outputs]:
        if tensor is not None and any(extent < 1 for extent in tensor.shape):
            raise unsupported(
                node,
                f'tensor "{tensor.name}" has shape {list(tensor.shape)}, which holds no element',
                "give the model static shapes without zeros when converting it",
            )
        if tensor is not None and tensor.elements > _MAX_ELEMENTS:
            raise unsupported(
                node,
                f'tensor "{tensor.name}" of {tensor.elements} values is beyond any microcontroller',
                "use a smaller model",
            )


def required(node: Node, index: int) -> Tensor:
    """Input ``index`` of an operator whose arity was checked."""
    tensor = node.inputs[index]
    assert tensor is not None
    return tensor


def optional(node: Node, index: int) -> Tensor | None:
    """Input ``index``, None where it is left out."""
    return node.inputs[index] if index < len(node.inputs) else None


_QUANTIZED = (DType.INT8, DType.INT16, DType.UINT8)


def dtype(node: Node, tensor: Tensor, allowed: Iterable[DType], role: str) -> None:
    """The tensor has one of the types that a kernel exists for."""
    allowed = tuple(allowed)
    if tensor.dtype not in allowed:
        names = ", ".join(kind.value for kind in allowed)
        raise unsupported(
            node,
            f"{role} of type {tensor.dtype.value} (supported: {names})",
            _type_hint(node, tensor, allowed),
        )


def _type_hint(node: Node, tensor: Tensor, allowed: tuple[DType, ...]) -> str:
    """What makes the tensor one of the types that are allowed."""
    if tensor.dtype in _QUANTIZED and DType.FLOAT32 in allowed:
        layer = short_name(node.outputs[0].name) if node.outputs else node.name
        return f"leave the layer in float: convert the float model with --per-layer keep={layer}:float32"
    if tensor.dtype in (DType.INT16, DType.UINT8, DType.FLOAT32) and DType.INT8 in allowed:
        return "convert the float model with --quantize int8 --representative DATA"
    wanted = " or ".join(kind.value for kind in allowed)
    return f"have the source model compute it as {wanted}: cast it there, and convert again"


def same_dtype(node: Node, *tensors: Tensor) -> None:
    """All tensors have one type."""
    kinds = {tensor.dtype for tensor in tensors}
    if len(kinds) > 1:
        names = " and ".join(sorted(kind.value for kind in kinds))
        raise unsupported(
            node, f"mixes {names}", "convert the model with full-integer quantization or as float32"
        )


def rank(node: Node, tensor: Tensor, wanted: int, role: str) -> None:
    """The tensor has so many dimensions."""
    if len(tensor.shape) != wanted:
        raise invalid(node, f"{role} has shape {list(tensor.shape)}, needs {wanted} dimensions")


def shape(node: Node, tensor: Tensor, wanted: tuple[int, ...], role: str) -> None:
    """The tensor has this shape."""
    if tensor.shape != wanted:
        raise invalid(node, f"{role} has shape {list(tensor.shape)}, expected {list(wanted)}")


def elements(node: Node, tensor: Tensor, wanted: int, role: str) -> None:
    """The tensor has so many elements, in whatever shape."""
    if tensor.elements != wanted:
        raise invalid(node, f"{role} has {tensor.elements} values, expected {wanted}")


def constant(node: Node, tensor: Tensor, role: str) -> None:
    """The tensor is known at compile time: for operands that TFLM does not take at run time, either."""
    if not tensor.is_constant:
        raise unsupported(
            node, f"{role} is computed at run time", "make it a constant of the model: TFLM wants that, too"
        )


def per_tensor(node: Node, *tensors: Tensor) -> None:
    """Each tensor has one scale and zero point, and the scale is positive."""
    for tensor in tensors:
        if not has_scale(tensor):
            raise invalid(node, f'tensor "{tensor.name}" of type {tensor.dtype.value} has no scale')
        assert tensor.quantization is not None
        _usable(node, tensor)
        if tensor.quantization.per_channel:
            raise unsupported(
                node, f'activation "{tensor.name}" has a scale per channel', "quantize activations per tensor"
            )
        _positive(node, tensor)


def channel_quantized(node: Node, tensor: Tensor, axis: int, channels: int) -> None:
    """Weights have one scale, or one for each of ``channels``.

    Along another axis of as many slices TFLM takes them for those of ``axis``, too, which passes want.
    """
    quantization = tensor.quantization
    if quantization is None or not quantization.scales:
        raise invalid(node, f'weights "{tensor.name}" have no scale')
    _usable(node, tensor)
    count = len(quantization.scales)
    if count not in (1, channels):
        raise invalid(node, f"weights have {count} scales for {channels} channels")
    if quantization.axis != axis:
        tensor.quantization = replace(quantization, axis=axis)
    _positive(node, tensor)


def symmetric(node: Node, *tensors: Tensor) -> None:
    """Zero points are 0."""
    for tensor in tensors:
        _usable(node, tensor)
        points = tensor.quantization.zero_points if tensor.quantization else ()
        if any(points):
            raise unsupported(
                node,
                f'tensor "{tensor.name}" has zero point {next(p for p in points if p)}, needs 0',
                "quantize it symmetrically",
            )


def same_quantization(node: Node, first: Tensor, second: Tensor, tolerance: float = 0.0) -> None:
    """Scale and zero point are equal, as operators that move values need; plain integers have neither."""
    if not has_scale(first) and not has_scale(second):
        return
    per_tensor(node, first, second)
    if abs(first.scale - second.scale) > tolerance or first.zero_point != second.zero_point:
        raise unsupported(
            node,
            f"input and output are quantized differently (scale {first.scale:g} and {second.scale:g}, "
            f"zero point {first.zero_point} and {second.zero_point})",
            "insert a QUANTIZE between them, or convert the model with a current converter",
        )


def has_scale(tensor: Tensor) -> bool:
    """Whether the file gives the tensor a scale."""
    return tensor.quantization is not None and bool(tensor.quantization.scales)


def is_quantized(tensor: Tensor) -> bool:
    """Integer values that stand for real ones."""
    return tensor.dtype in INTEGER_RANGE and tensor.quantization is not None


def _usable(node: Node, tensor: Tensor) -> None:
    if tensor.quantization is not None and tensor.quantization.problem:
        raise invalid(node, f'quantization of "{tensor.name}": {tensor.quantization.problem}')


def _positive(node: Node, tensor: Tensor) -> None:
    assert tensor.quantization is not None
    if not all(scale > 0 for scale in tensor.quantization.scales):
        raise unsupported(
            node,
            f'tensor "{tensor.name}" has a scale of zero',
            "quantize the model again with representative data",
        )
