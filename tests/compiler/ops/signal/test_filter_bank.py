# SPDX-License-Identifier: Apache-2.0
"""The signal operators from a spectrum to features against TFLM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.compiler.ops.generate import Random
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.run_time import at_run_time, outputs_of

CASES = 105


def spread(r: Random, count: int, bits: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    """Numbers of every magnitude, as energies are."""
    values = [r.rng.integers(0, 1 << int(r.integer(1, bits)), dtype=np.uint64) for _ in range(count)]
    return np.array(values, dtype=np.uint64)


def model(
    op: str, options: dict[str, Any], build: Callable[[GraphBuilder], tuple[list[TensorRef], list[TensorRef]]]
) -> tuple[bytes, list[TensorRef]]:
    builder = ModelBuilder()
    graph = builder.graph()
    inputs, outputs = build(graph)
    dynamic = [ref for ref in inputs if ref.index in graph.inputs]
    graph.op(op, inputs, outputs, custom_options=bytes(flexbuffers.Dumps(options)))
    graph.output(*outputs)
    return builder.build(), dynamic


def energy(r: Random, count: int) -> tuple[bytes, list[list[Any]]]:
    data, _ = model(
        "SignalEnergy",
        {"start_index": 0, "end_index": count},
        lambda g: ([g.input((2 * count,), "int16")], [g.tensor((count,), "uint32")]),
    )
    return data, [[r.values((2 * count,), "int16")] for _ in range(3)]


def filter_bank(r: Random, count: int) -> tuple[bytes, list[list[Any]]]:
    channels = r.integer(1, 6)
    widths = r.rng.integers(0, count + 1, channels + 1).astype(np.int16)
    starts = np.array([r.integer(0, count - int(width)) for width in widths], np.int16)
    places = (np.cumsum(widths) - widths).astype(np.int16)
    total = max(1, int(widths.sum()))

    def build(g: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        lowest = -4096 if r.chance(0.2) else 0
        tables = [r.rng.integers(lowest, 4097, total).astype(np.int16) for _ in range(2)]
        constants = [g.constant(table) for table in (*tables, starts, places, widths)]
        return [g.input((count,), "uint32"), *constants], [g.tensor((channels,), "uint64")]

    data, _ = model("SignalFilterBank", {"num_channels": channels}, build)
    return data, [[spread(r, count, 32).astype(np.uint32)] for _ in range(3)]


def square_root(r: Random, count: int) -> tuple[bytes, list[list[Any]]]:
    data, _ = model(
        "SignalFilterBankSquareRoot",
        {},
        lambda g: (
            [g.input((count,), "uint64"), g.input((), "int32")],
            [g.tensor((count,), "uint32")],
        ),
    )
    edges = np.array([0, 1, 2**32 - 1, 2**32, 2**63 - 1, 65535**2 + 65536], np.uint64)
    samples = [spread(r, count, 63) for _ in range(4)] + [np.resize(edges, count)]
    return data, [[values, np.array(r.integer(0, 16), np.int32)] for values in samples]


def spectral_subtraction(r: Random, count: int) -> tuple[bytes, list[list[Any]]]:
    bits = 14
    smoothing, alternate = r.integer(0, 1 << bits), r.integer(0, 1 << bits)
    options = {
        "alternate_one_minus_smoothing": (1 << bits) - alternate,
        "alternate_smoothing": alternate,
        "clamping": r.chance(0.5),
        "min_signal_remaining": r.integer(0, 1 << bits),
        "num_channels": count,
        "one_minus_smoothing": (1 << bits) - smoothing,
        "smoothing": smoothing,
        "smoothing_bits": r.integer(0, 12),
        "spectral_subtraction_bits": bits,
    }
    data, _ = model(
        "SignalFilterBankSpectralSubtraction",
        options,
        lambda g: ([g.input((count,), "uint32")], [g.tensor((count,), "uint32") for _ in range(2)]),
    )
    return data, [[spread(r, count, 24).astype(np.uint32)] for _ in range(6)]


def pcan(r: Random, count: int) -> tuple[bytes, list[list[Any]]]:
    gains = np.sort(r.rng.integers(0, 32768, 125)).astype(np.int16)[::-1].copy()
    data, _ = model(
        "SignalPCAN",
        {"snr_shift": r.integer(0, 20)},
        lambda g: (
            [g.input((count,), "uint32"), g.input((count,), "uint32"), g.constant(gains)],
            [g.tensor((count,), "uint32")],
        ),
    )
    return data, [[spread(r, count, 32).astype(np.uint32) for _ in range(2)] for _ in range(4)]


def log(r: Random, count: int) -> tuple[bytes, list[list[Any]]]:
    data, _ = model(
        "SignalFilterBankLog",
        {
            "input_correction_bits": r.integer(0, 5),
            "output_scale": r.choice((1600, 65536, r.integer(1, 4000))),
        },
        lambda g: ([g.input((count,), "uint32")], [g.tensor((count,), "int16")]),
    )
    return data, [[spread(r, count, 32).astype(np.uint32)] for _ in range(6)]


@pytest.mark.parametrize("make", [energy, filter_bank, square_root, spectral_subtraction, pcan, log])
def test_bytes_equal_tflm(
    make: Callable[[Random, int], tuple[bytes, list[list[Any]]]], tmp_path: Path
) -> None:
    cases = []
    for index in range(CASES):
        r = Random(index, 96)
        cases.append(Case(f"{make.__name__} #{index}", *make(r, r.integer(1, 40))))
    check(cases, tmp_path, at_least=100)


def test_computed_tables_give_tflms_bytes(tmp_path: Path) -> None:
    cases = []
    for index in range(CASES):
        r = Random(index, 97)
        made = Case(f"filter_bank #{index}", *filter_bank(r, r.integer(1, 40)))
        cases.append(at_run_time(made, [1 + index % 5, 1 + index % 3]))
    check(cases, tmp_path, at_least=100)


def test_computed_gains_give_tflms_bytes(tmp_path: Path) -> None:
    cases = []
    for index in range(CASES):
        r = Random(index, 98)
        cases.append(at_run_time(Case(f"pcan #{index}", *pcan(r, r.integer(1, 40))), [2]))
    check(cases, tmp_path, at_least=100)


def test_channels_that_reach_beyond_the_spectrum_add_nothing(tmp_path: Path) -> None:
    tables = [np.array([7] * 4), np.array([7] * 4), np.array([0, 1]), np.array([0, 2]), np.array([2, 2])]
    bad = [(2, [0, 3]), (2, [0, -1]), (3, [0, 3]), (3, [0, -32768]), (4, [2, 32767]), (4, [2, -1])]

    def build(g: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        places = [g.input(table.shape, "int16") for table in tables]
        return [g.input((4,), "uint32"), *places], [g.tensor((1,), "uint64")]

    data, _ = model("SignalFilterBank", {"num_channels": 1}, build)
    samples = []
    for index, table in [(2, [0, 1]), *bad]:
        given = [*tables[:index], np.array(table), *tables[index + 1 :]]
        samples.append([*(values.astype(np.int16) for values in given), np.ones(4, np.uint32)])
    (outputs,) = outputs_of([Case("places", data, samples)], tmp_path)
    assert [int(output[0]) for output in outputs] == [28] + [14] * len(bad)
