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
_MOST_OPERANDS = 1 << 10
_CORRUPT = "export the model again: the file is damaged or was written by a faulty converter"


def invalid(node: Node, reason: str) -> ModelError:
    """The error for an operator whose parts contradict each other."""
    return ModelError(f"{node.location}: {reason}", _CORRUPT)


def operands(node: Node) -> None:
    """As many inputs and outputs as the operator has, none of them missing, and no tensor empty or absurdly
    large: what every operator is checked for before its own ``check``.
    """
    for names, given, what in (
        (node.signature.inputs, len(node.inputs), "inputs"),
        (node.signature.outputs, len(node.outputs), "outputs"),
    ):
        least, most = _counts(names)
        if not least <= given <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise invalid(node, f"has {given} {what}, needs {wanted}")
    for name in node.signature.inputs:
        if not name.endswith(("?", "*")):
            node.input(name)
    for tensor in [*node.operands(), *node.outputs]:
        _size(node, tensor)


def _counts(names: tuple[str, ...]) -> tuple[int, int]:
    """The fewest and the most tensors that these names stand for."""
    least = max(
        (place for place, name in enumerate(names, start=1) if not name.endswith(("?", "*"))), default=0
    )
    return least, _MOST_OPERANDS if names and names[-1].endswith("*") else len(names)


def _size(node: Node, tensor: Tensor) -> None:
    if any(extent < 1 for extent in tensor.shape):
        raise unsupported(
            node,
            f'tensor "{tensor.name}" has shape {list(tensor.shape)}, which holds no element',
            "give the model static shapes without zeros when converting it",
        )
    if tensor.elements > _MAX_ELEMENTS:
        raise unsupported(
            node,
            f'tensor "{tensor.name}" of {tensor.elements} values is beyond any microcontroller',
            "use a smaller model",
        )


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
    if tensor.is_constant and any(read.dtype is DType.FLOAT32 for read in node.operands()):
        return (
            "integer weights for float activations (dynamic-range quantization): make integers of all with "
            "`tinyserve convert FILE --representative DATA`"
        )
    if tensor.dtype is DType.UINT8 and tensor.quantization is not None and DType.INT8 in allowed:
        return (
            "a file quantized to uint8: make int8 of it with `tinyserve convert FILE --representative DATA`"
        )
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
