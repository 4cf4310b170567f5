# SPDX-License-Identifier: Apache-2.0
"""Operators and tensors that stand for a part of another operator while it is lowered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node, Quantization, Tensor
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.strided_copy import Walk, add_copy, dense_strides
from tinyserve.compiler.variants import Candidate, candidates

REASON = "in parts that the core's kernels take"
IntArray = npt.NDArray[np.int64]

_COPY_COST = 3.0
_RUN_COST = 30.0


def copy_cost(runs: int, nbytes: int) -> float:
    """Instructions of a copy."""
    return runs * _RUN_COST + nbytes * _COPY_COST


def is_int8(node: Node) -> bool:
    """int8 throughout, with constant weights."""
    weights = node.input("weights")
    return weights.data is not None and all(
        tensor.dtype is DType.INT8 for tensor in (node.input("input"), weights, node.output)
    )


def is_integer(node: Node) -> bool:
    """int8 or int16 activations, with constant int8 weights."""
    input, weights = node.input("input"), node.input("weights")
    return (
        weights.data is not None and weights.dtype is DType.INT8 and input.dtype in (DType.INT8, DType.INT16)
    )


def activation_like(tensor: Tensor, name: str, shape: tuple[int, ...]) -> Tensor:
    """A tensor of another shape, quantized alike."""
    return Tensor(-1, name, shape, tensor.dtype, tensor.quantization)


def weights_like(
    weights: Tensor, name: str, data: npt.NDArray[np.int8], axis: int, channels: IntArray
) -> Tensor:
    """Weights ``data``; ``channels``: of the original, in their new order along ``axis``."""
    known = weights.quantization
    assert known is not None
    index = channels.tolist()
    scales = tuple(known.scales[i] for i in index) if known.per_channel else known.scales
    quantization = Quantization(scales, (0,) * len(scales), axis)
    return Tensor(-1, name, data.shape, weights.dtype, quantization, np.ascontiguousarray(data))


def bias_like(bias: Tensor | None, name: str, channels: IntArray) -> Tensor | None:
    """The biases of these channels."""
    if bias is None:
        return None
    assert bias.data is not None
    return Tensor(-1, name, (len(channels),), bias.dtype, None, bias.data.reshape(-1)[channels])


def part(node: Node, name: str, inputs: list[Tensor | None], output: Tensor, attributes: object) -> Node:
    """An operator that computes ``output`` for ``node``."""
    return replace(node, index=-1, name=name, inputs=inputs, outputs=[output], attributes=attributes)


def cheapest(module: str, node: Node, lowering: Lowering) -> Candidate | None:
    """The cheapest variant of a part."""
    return next(iter(candidates(module, node, lowering)), None)


def with_weights(node: Node, name: str, order: tuple[int, ...], axis: int) -> Node:
    """The same convolution as another operator: weights in ``order``, their channels along ``axis``."""
    weights = node.input("weights")
    assert weights.data is not None
    data = np.asarray(weights.data.transpose(order), np.int8)
    channels = np.arange(data.shape[axis], dtype=np.int64)
    turned = weights_like(weights, weights.name, data, axis, channels)
    inputs = [node.input("input"), turned, node.optional("bias")]
    return part(node, name, inputs, node.output, node.attributes)


def copy_channels(
    node: Node,
    lowering: Lowering,
    source: tuple[Tensor, int],
    target: tuple[Tensor, int],
    count: int | None = None,
) -> None:
    """Copies ``count`` channels of every pixel, by default as many as the smaller tensor has, from these
    numbers on."""
    (origin, first), (goal, start) = source, target
    walks = [Walk(first, dense_strides(origin.shape)), Walk(start, dense_strides(goal.shape))]
    shape = (*goal.shape[:3], min(origin.shape[3], goal.shape[3]) if count is None else count)
    add_copy(node, lowering, origin, goal, shape=shape, source=walks[0], target=walks[1])
