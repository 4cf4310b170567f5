# SPDX-License-Identifier: Apache-2.0
"""Resize and Upsample: along each axis a matrix, which onnxruntime itself gives.

Where TFLite's own operators compute the same, they are taken; nearest neighbours are else gathered, and what
is interpolated is multiplied.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import linear, movement, windows
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.trace import session_of
from tinyserve.convert.frameworks.onnx_import.values import Value, channels_last, permuted

Array = npt.NDArray[Any]
_FLAGS = ((False, False), (False, True), (True, False))
"""Of TFLite's operators: alignCorners, halfPixelCenters."""


@handles("Resize", "Upsample")
def _resize(ctx: Context, node: Node) -> Value:
    x, shape = node.input(0), node.shapes[0]
    if node.attribute("coordinate_transformation_mode", "") == "tf_crop_and_resize":
        raise node.refusal("of a part (tf_crop_and_resize)")
    scales = _scales(node, x, shape)
    matrices = {
        axis: _matrix(node, x.shape[axis], shape[axis], scales[axis])
        for axis in range(x.rank)
        if x.shape[axis] != shape[axis] or (scales[axis] or 1) != 1
    }
    spatial = x.spatial
    if x.rank in (3, 4) and all(axis >= 2 for axis in matrices):
        image = windows.as_image(ctx, x)
        extra = 4 - x.rank
        whole = [matrices.get(axis - extra, np.eye(image.shape[axis])) for axis in (2, 3)]
        made = _by_operator(ctx, image, whole)
        if made is not None:
            return windows.as_before(ctx, made, x.rank)
    for axis, matrix in matrices.items():
        x = _along(ctx, x, axis, matrix)
    x.spatial = spatial or len(matrices) > 0
    return x


def _scales(node: Node, x: Value, shape: tuple[int, ...]) -> list[float | None]:
    """Per axis, None where the node states the size alone."""
    place = 1 if node.op == "Upsample" or node.opset < 11 else 2
    value = node.optional(place)
    given = node.attribute("scales") if value is None or not value.data is not None else value.data
    if given is None or not len(given):
        return [None] * x.rank
    axes = node.attribute("axes") or range(x.rank)
    scales: list[float | None] = [1.0] * x.rank
    for axis, scale in zip(axes, given, strict=True):
        scales[axis] = float(scale)
    return scales


def _matrix(node: Node, extent: int, wanted: int, scale: float | None) -> Array:
    """(wanted, extent): what the node makes of each element along one axis."""
    onnx = importlib.import_module("onnx")
    made = onnx.NodeProto()
    made.CopyFrom(node.proto)
    kept = [a for a in node.proto.attribute if a.name not in ("axes", "scales", "keep_aspect_ratio_policy")]
    del made.attribute[:], made.input[:], made.output[:]
    made.attribute.extend(kept)
    made.output.append("y")
    constants: dict[str, Array] = {"scales": np.array([1, 1, 1, scale or 1], np.float32)}
    made.input.extend(["x", "scales"])
    if node.op == "Upsample" and node.opset < 9:
        made.attribute.append(onnx.helper.make_attribute("scales", [1.0, 1.0, 1.0, float(scale or 1)]))
        del made.input[1:]
        constants = {}
    elif node.op == "Resize" and node.opset >= 11:
        made.input[1] = "roi"
        constants = {"roi": np.zeros(0, np.float32)}
        if scale is None:
            made.input.extend(["", "sizes"])
            constants["sizes"] = np.array([1, 1, extent, wanted], np.int64)
            constants["roi"] = np.zeros(8, np.float32)
        else:
            made.input.append("scales")
            constants["scales"] = np.array([1, 1, 1, scale], np.float32)
    graph = onnx.helper.make_graph(
        [made],
        "resize",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, extent, extent])],
        [onnx.ValueInfoProto(name="y")],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", node.opset)], ir_version=8
    )
    identity = np.eye(extent, dtype=np.float32)[None, None]
    matrix: Array = session_of(model).run(None, {"x": identity})[0][0, 0].T
    assert matrix.shape == (wanted, extent), (matrix.shape, wanted, extent)
    return matrix


def _by_operator(ctx: Context, x: Value, matrices: list[Array]) -> Value | None:
    """By RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR, where they compute these matrices."""
    shape = (*x.shape[:2], *(len(matrix) for matrix in matrices))
    for name, reference in (
        ("RESIZE_NEAREST_NEIGHBOR", nearest_matrix),
        ("RESIZE_BILINEAR", bilinear_matrix),
    ):
        for align, half in _FLAGS:
            if all(_close(m, reference(m.shape[1], len(m), align, half)) for m in matrices):
                form = channels_last(4)
                size = ctx.draft.constant(f"{ctx.scope}/size", np.array(shape[2:], np.int32))
                made = ctx.emit(name, [ctx.tensor(x, form), size], permuted(shape, form), alignCorners=align,
                                halfPixelCenters=half)  # fmt: skip
                result = ctx.computed(made, shape, form)
                result.spatial, result.nonnegative = True, x.nonnegative
                return result
    return None


def _close(a: Array, b: Array) -> bool:
    return bool(np.abs(a - b).max() < 1e-6)


def nearest_matrix(extent: int, wanted: int, align: bool, half: bool) -> Array:
    """TFLite's RESIZE_NEAREST_NEIGHBOR along one axis."""
    scale = np.float32((extent - 1) / (wanted - 1) if align and wanted > 1 else extent / wanted)
    places = (np.arange(wanted, dtype=np.float32) + np.float32(0.5 if half else 0)) * scale
    rounded = np.floor(places + np.float32(0.5)) if align else np.floor(places)
    rows: Array = np.eye(extent, dtype=np.float32)[np.clip(rounded.astype(int), 0, extent - 1)]
    return rows


def bilinear_matrix(extent: int, wanted: int, align: bool, half: bool) -> Array:
    """TFLite's RESIZE_BILINEAR along one axis."""
    scale = np.float32((extent - 1) / (wanted - 1) if align and wanted > 1 else extent / wanted)
    places = np.arange(wanted, dtype=np.float32)
    places = (places + np.float32(0.5)) * scale - np.float32(0.5) if half else places * scale
    low = np.maximum(np.floor(places), 0).astype(int)
    high = np.minimum(np.ceil(places), extent - 1).astype(int)
    share = places - low
    rows = np.zeros((wanted, extent), np.float32)
    np.add.at(rows, (np.arange(wanted), low), 1 - share)
    np.add.at(rows, (np.arange(wanted), np.maximum(high, 0)), share)
    return rows


def _along(ctx: Context, x: Value, axis: int, matrix: Array) -> Value:
    places = matrix.argmax(1)
    if _close(matrix, np.eye(matrix.shape[1], dtype=np.float32)[places]):
        return movement.gather(ctx, x, ctx.constant(places), axis)
    return linear.along_axis(ctx, x, axis, matrix)
