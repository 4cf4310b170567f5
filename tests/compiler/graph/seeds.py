# SPDX-License-Identifier: Apache-2.0
"""Small models of every kind that mutations start from: a few kilobytes, so that they hit the structure."""

from __future__ import annotations

import numpy as np

from tests.compiler.ops.control import test_control_flow
from tests.compiler.ops.detection import test_detection_postprocess
from tests.compiler.ops.elementwise import test_div
from tests.compiler.ops.generate import Random
from tests.compiler.ops.movement import test_fill, test_gather_nd
from tests.compiler.ops.recurrent import test_svdf, test_unidirectional_sequence_lstm
from tests.compiler.ops.signal import test_filter_bank, test_framing, test_rfft
from tests.compiler.passes.nets import Net
from tests.support.graphs.random_graph import random_graph

GRAPHS = 30


def small_models() -> list[bytes]:
    """Networks with channels to remove, random graphs, state, subgraphs and custom operators."""
    return [
        *_networks(),
        *(random_graph(seed).case.model for seed in range(GRAPHS)),
        *_special(),
        *_signals(),
    ]


def _networks() -> list[bytes]:
    models = []
    for seed in range(6):
        net = Net(np.random.default_rng(seed))
        net.input((1, 6, 6, 3), "float32" if seed == 5 else "int8")
        left = net.conv(4, 3, dead_outputs=0.3)
        net.depthwise(multiplier=1 + seed % 2)
        net.conv(4, 1, dead_inputs=0.3)
        net.add(left, net.x)
        net.pool()
        net.dense(3)
        models.append(net.case("").model)
    return models


def _special() -> list[bytes]:
    """Operators that random graphs leave out: subgraphs, state, several outputs, undefined arithmetic."""
    cases = [
        test_control_flow.branch(1, "int8"),
        test_control_flow.loop(1, "int32"),
        test_control_flow.running_sum(1, "int8", True),
        test_detection_postprocess.random_case(0, True),
        test_detection_postprocess.random_case(1, False),
        test_div.div_s8_case(1),
        test_fill.random_case(1, "FILL", "int8"),
        test_gather_nd.dynamic_update_slice(1, "int8"),
        test_gather_nd.embedding_lookup(1, "int8"),
        test_svdf.random_case(1, "int8"),
        test_unidirectional_sequence_lstm.random_case(1, "int8"),
    ]
    return [case.model for case in cases]


def _signals() -> list[bytes]:
    features = (
        test_filter_bank.energy, test_filter_bank.filter_bank, test_filter_bank.square_root,
        test_filter_bank.spectral_subtraction, test_filter_bank.pcan, test_filter_bank.log,
    )  # fmt: skip
    return [
        *(test_framing.random_case(1, make).model for make in test_framing.MAKERS),
        *(make(Random(1, 96), 8)[0] for make in features),
        *(test_rfft.random_case(1, op, "int16").model for op in ("SignalRfft", "SignalIrfft")),
    ]
