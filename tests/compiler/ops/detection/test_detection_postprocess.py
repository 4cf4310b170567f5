# SPDX-License-Identifier: Apache-2.0
"""TFLite_Detection_PostProcess against TFLM.

TFLM's fast suppression leaves outputs beyond the last detection as they were: its cases have enough of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.compiler.ops.generate import Array, Random
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel

CASES = 105


def anchors_in_groups(r: Random, boxes: int) -> Array:
    """Boxes in a few places far from each other, so that those of a place overlap."""
    centres = np.arange(boxes) % 4 * 10.0
    values = np.stack([centres, centres, np.full(boxes, 2.0), np.full(boxes, 2.0)], axis=-1)
    return (values + r.rng.uniform(0, 0.6, values.shape)).astype(np.float32)


def random_case(index: int, regular: bool, *, shaped: bool = True) -> Case:
    r = Random(index, 104, int(regular))
    boxes, classes, background = r.integer(4, 20), r.integer(1, 4), r.integer(0, 1)
    limit = r.integer(1, 10) if regular else r.integer(1, 4)
    options = {
        "max_detections": limit, "max_classes_per_detection": 1, "detections_per_class": r.integer(1, 6),
        "use_regular_nms": regular, "nms_score_threshold": 0.3 if regular else 0.0,
        "nms_iou_threshold": r.choice((0.1, 0.5, 0.6)), "num_classes": classes, "y_scale": 10.0,
        "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0,
    }  # fmt: skip
    model = ModelBuilder()
    graph = model.graph()
    width = r.choice((4, 4, 6))
    encodings = graph.input((1, boxes, width), "float32")
    predictions = graph.input((1, boxes, classes + background), "float32")
    anchors = graph.constant(anchors_in_groups(r, boxes))
    shapes = ((1, limit, 4), (1, limit), (1, limit), (1,))
    outputs = [graph.tensor(shape if shaped else (), "float32") for shape in shapes]
    graph.op(
        "TFLite_Detection_PostProcess", [encodings, predictions, anchors], outputs,
        custom_options=bytes(flexbuffers.Dumps(options)),
    )  # fmt: skip
    graph.output(*outputs)
    samples = [
        [
            r.rng.normal(size=encodings.shape).astype(np.float32),
            np.round(r.rng.uniform(0, 1, predictions.shape), r.choice((1, 6))).astype(np.float32),
        ]
        for _ in range(3)
    ]
    return Case(f"detection regular={regular} {boxes} boxes #{index}", model.build(), samples)


@pytest.mark.parametrize("regular", [False, True])
def test_detections_are_those_of_tflm(regular: bool, tmp_path: Path) -> None:
    cases = [random_case(index, regular) for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-5, 1e-5))


def test_outputs_without_a_shape_get_the_one_that_the_options_give() -> None:
    for seed in range(4):
        shaped, bare = (random_case(seed, True, shaped=shaped) for shaped in (True, False))
        both = [compile_model(case.model) for case in (shaped, bare)]
        shapes = [[tensor.shape for tensor in one.program.output_tensors] for one in both]
        assert shapes[0] == shapes[1]
        assert len(shapes[0][0]) == 3
        wanted, got = (HostModel(one).run(shaped.samples[0]) for one in both)
        for theirs, ours in zip(wanted, got, strict=True):
            np.testing.assert_array_equal(ours, theirs)
