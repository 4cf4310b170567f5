# SPDX-License-Identifier: Apache-2.0
"""Convolutions of several images by kernels that take one: as one high image where no window reaches from
one into the next, else image by image."""

from __future__ import annotations

from dataclasses import replace

from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.ops.linear.conv_2d import conv_window, right_pad
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.strided_copy import Walk, add_copy, dense_strides
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.composed import parts

VARIANT = "images"


def candidates(name: str, node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate where there are several images and the core has a kernel for one."""
    input, output = node.input("input"), node.output
    if input.shape[0] < 2 or output.elements == 0:
        return []
    view = conv_window(node)
    merges = view.filter_height == view.stride_height == 1 and view.pad_top == 0
    merges = merges and view.input_height == view.output_height
    part = _part(node, input.shape[0] if merges else 1)
    found = parts.cheapest(name, part, lowering)
    if found is None:
        return []
    if merges:
        return [
            Candidate(VARIANT, found.cost, found.reason, lambda: _lower_merged(node, lowering, part, found))
        ]
    copies = parts.copy_cost(2, (input.nbytes + output.nbytes) // input.shape[0])
    cost = input.shape[0] * (found.cost + copies)
    return [Candidate(VARIANT, cost, found.reason, lambda: _lower_each(node, lowering, part, found))]


def _part(node: Node, merged: int) -> Node:
    """The layer of one image, which ``merged`` images are below each other."""
    view = conv_window(node)
    input, output = (_image(tensor, merged) for tensor in (node.input("input"), node.output))
    attributes = node.attributes
    if merged > 1:  # SAME padding of a higher image along columns is what it was
        attributes = replace(
            attributes, pad_top=0, pad_bottom=0, pad_left=view.pad_left, pad_right=right_pad(view)
        )
    inputs = [input, node.input("weights"), node.optional("bias")]
    return parts.part(node, node.name, inputs, output, attributes)


def _image(tensor: Tensor, merged: int) -> Tensor:
    return parts.activation_like(
        tensor, f"{tensor.name}_image", (1, merged * tensor.shape[1], *tensor.shape[2:])
    )


def _lower_merged(node: Node, lowering: Lowering, part: Node, found: Candidate) -> None:
    lowering.alias(part.input("input"), node.input("input"))
    lowering.alias(part.output, node.output)
    found.lower()


def _lower_each(node: Node, lowering: Lowering, part: Node, found: Candidate) -> None:
    for image in range(node.input("input").shape[0]):
        _copy(node, lowering, (node.input("input"), image), (part.input("input"), 0))
        found.lower()
        _copy(node, lowering, (part.output, 0), (node.output, image))


def _copy(node: Node, lowering: Lowering, source: tuple[Tensor, int], target: tuple[Tensor, int]) -> None:
    """An image, by its number at both ends."""
    (origin, first), (goal, at) = source, target
    strides = dense_strides(origin.shape)  # all images are of one shape
    walks = [Walk(number * strides[0], strides) for number in (first, at)]
    shape = (1, *origin.shape[1:])
    add_copy(node, lowering, origin, goal, shape=shape, source=walks[0], target=walks[1])
