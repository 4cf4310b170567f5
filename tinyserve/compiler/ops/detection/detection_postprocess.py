# SPDX-License-Identifier: Apache-2.0
"""TFLite_Detection_PostProcess, the last operator of SSD detectors. Kernel in
``kernels/detection_postprocess.h``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.flexbuffer import read_map
from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import Params

_MOST = 1 << 16


@dataclass(frozen=True)
class DetectionAttributes:
    """Options as the file names them; scales in the order y, x, height, width."""

    max_detections: int
    max_classes_per_detection: int
    detections_per_class: int
    use_regular_nms: bool
    num_classes: int
    score_threshold: float
    overlap_threshold: float
    scales: tuple[float, float, float, float]


@dataclass(frozen=True)
class DetectionPostprocessParams(Params, c_type="ts_detection_postprocess_params"):
    """``predictions``: numbers per box, of which the first ``background`` stand for no class. ``per_class``:
    1 for regular NMS."""

    boxes: int
    encoding_size: int
    predictions: int
    background: int
    max_detections: int
    detections_per_class: int
    per_class: int
    y_scale: float
    x_scale: float
    height_scale: float
    width_scale: float
    score_threshold: float
    overlap_threshold: float


class DetectionPostProcess(OpDef):
    """float32: encodings [1][boxes][4 or more], predictions [1][boxes][classes, perhaps a background] and
    anchors [boxes][4] to boxes, classes, scores and their number.
    """

    name = "TFLite_Detection_PostProcess"
    inputs = ("encodings", "predictions", "anchors")
    outputs = ("boxes", "classes", "scores", "count")
    custom = True

    def attributes(self, options: Options) -> DetectionAttributes:
        found = read_map(options.custom) if options.custom else {}

        def whole(name: str, default: int = 0) -> int:
            value = found.get(name, default)
            return int(value) if math.isfinite(value) else 0

        def real(name: str) -> float:
            with np.errstate(over="ignore"):
                return float(np.float32(found.get(name, 0.0)))

        return DetectionAttributes(
            max_detections=whole("max_detections"),
            max_classes_per_detection=whole("max_classes_per_detection"),
            detections_per_class=whole("detections_per_class", 100),
            use_regular_nms=bool(whole("use_regular_nms")),
            num_classes=whole("num_classes"),
            score_threshold=real("nms_score_threshold"),
            overlap_threshold=real("nms_iou_threshold"),
            scales=(real("y_scale"), real("x_scale"), real("h_scale"), real("w_scale")),
        )

    def complete(self, node: Node) -> None:
        """TensorFlow's exporters give the outputs no shape."""
        limit = node.attributes.max_detections
        if not 1 <= limit <= _MOST:
            return
        for output, shape in zip(node.outputs, ((1, limit, 4), (1, limit), (1, limit), (1,)), strict=False):
            if not output.shape and output.data is None:
                output.shape = shape

    def check(self, node: Node) -> None:
        encodings, predictions, anchors = node.operands()
        for tensor in (encodings, predictions, anchors, *node.outputs):
            checks.dtype(node, tensor, (DType.FLOAT32,), f'"{tensor.name}"')
        checks.rank(node, encodings, 3, "encodings")
        checks.rank(node, predictions, 3, "predictions")
        boxes, attributes = encodings.shape[1], node.attributes
        if encodings.shape[0] != 1 or encodings.shape[2] < 4:
            raise checks.invalid(node, f"box encodings {list(encodings.shape)}")
        checks.shape(node, anchors, (boxes, 4), "anchors")
        if predictions.shape[:2] != (1, boxes) or predictions.shape[2] - attributes.num_classes not in (0, 1):
            raise checks.invalid(
                node, f"predictions {list(predictions.shape)} of {attributes.num_classes} classes"
            )
        _check_options(node, attributes)
        limit = attributes.max_detections
        for output, count in zip(node.outputs, (4 * limit, limit, limit, 1), strict=True):
            checks.elements(node, output, count, f'"{output.name}"')

    def lower(self, node: Node, lowering: Lowering) -> None:
        encodings, predictions = node.input("encodings"), node.input("predictions")
        attributes: DetectionAttributes = node.attributes
        boxes, classes = encodings.shape[1], predictions.shape[2]
        params = DetectionPostprocessParams(
            boxes, encodings.shape[2], classes, classes - attributes.num_classes, attributes.max_detections,
            attributes.detections_per_class, int(attributes.use_regular_nms), *attributes.scales,
            attributes.score_threshold, attributes.overlap_threshold,
        )  # fmt: skip
        name = node.output.name
        add_call(
            node,
            lowering,
            "ts_detection_postprocess",
            "detection_postprocess.h",
            params=params,
            inputs=[lowering.operand(tensor) for tensor in node.operands()],
            outputs=[lowering.buffer(output) for output in node.outputs],
            scratch=[
                lowering.scratch(f"{name}_{kind}", nbytes, size=f"TS_DETECTION_{kind.upper()}_BYTES({boxes})")
                for kind, nbytes in (("decoded", 16 * boxes), ("scores", 4 * boxes), ("order", 4 * boxes))
            ],
        )


def _check_options(node: Node, attributes: DetectionAttributes) -> None:
    counts = (attributes.max_detections, attributes.detections_per_class, attributes.num_classes)
    if not all(1 <= count <= _MOST for count in counts):
        raise checks.invalid(node, f"detections, detections per class and classes are {counts}")
    if not all(math.isfinite(scale) and scale > 0 for scale in attributes.scales):
        raise checks.invalid(node, f"its scales are {attributes.scales}")
    if not 0 < attributes.overlap_threshold <= 1 or not math.isfinite(attributes.score_threshold):
        raise checks.invalid(node, f"its overlap threshold is {attributes.overlap_threshold}")
    several = min(attributes.max_classes_per_detection, attributes.num_classes)
    if not attributes.use_regular_nms and several != 1:
        raise unsupported(
            node,
            f"{several} classes per detection",
            "export it with max_classes_per_detection=1 or regular NMS",
        )


OPS = (DetectionPostProcess(),)
