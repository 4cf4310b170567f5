# SPDX-License-Identifier: Apache-2.0
"""Histograms as TensorFlow Data Validation reads them: a DatasetFeatureStatisticsList with the reference and
the devices as two data sets.

Field numbers are those of tensorflow_metadata/proto/v0/statistics.proto; the encoding is Protocol Buffers'
own (varints, 64-bit doubles, lengths before messages), of which this takes too little to need a package.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.health.counters import Counters
from tinyserve.health.profile import Profile
from tinyserve.report.health.series import Series

_FLOAT, _STRING = 1, 2  # FeatureNameStatistics.Type
_VARINT, _DOUBLE, _BYTES, _SINGLE = 0, 1, 2, 5  # wire types


def as_tfdv(series: Sequence[Series], reference: Profile, seen: Counters) -> bytes:
    """What ``tfdv.load_stats_binary`` reads; ``tfdv.visualize_statistics`` shows both data sets."""
    known = [_feature(one, one.reference, reference.samples) for one in series]
    counted = [_feature(one, one.seen, seen.looked_at) for one in series]
    sets = (("reference", reference.samples, known), ("devices", seen.looked_at, counted))
    return b"".join(
        _message(1, _text(1, name) + _number(2, examples) + b"".join(_message(3, one) for one in features))
        for name, examples, features in sets
    )


def _feature(one: Series, counts: Sequence[int], examples: int) -> bytes:
    """FeatureNameStatistics."""
    if one.labels:
        return _text(1, one.what) + _number(2, _STRING) + _message(4, _classes(one, counts, examples))
    return _text(1, one.what) + _number(2, _FLOAT) + _message(3, _values(one, counts, examples))


def _common(total: int, examples: int) -> bytes:
    """CommonStatistics: as many values in each example as devices look at."""
    each = total // examples if examples else 0
    mean = _single(5, total / examples) if examples else b""
    return _number(1, examples) + _number(3, each) + _number(4, each) + mean + _number(8, total)


def _values(one: Series, counts: Sequence[int], examples: int) -> bytes:
    """NumericStatistics, of the bins' middles."""
    shape = _shape(one.edges, counts)
    bins = zip(one.edges, one.edges[1:], counts, strict=False)
    buckets = b"".join(
        _message(3, _double(1, low) + _double(2, high) + _double(4, count)) for low, high, count in bins
    )
    return (
        _message(1, _common(sum(counts), examples))
        + _double(2, shape.mean)
        + _double(3, shape.deviation)
        + _double(5, shape.least)
        + _double(6, shape.median)
        + _double(7, shape.greatest)
        + _message(8, buckets)
    )


def _classes(one: Series, counts: Sequence[int], examples: int) -> bytes:
    """StringStatistics."""
    ranked = sorted(zip(counts, one.labels, strict=True), key=lambda pair: -pair[0])
    there = [(count, label) for count, label in ranked if count]
    top = b"".join(_message(3, _text(2, label) + _double(3, count)) for count, label in there)
    ranks = b"".join(
        _message(1, _number(1, rank) + _number(2, rank) + _text(4, label) + _double(5, count))
        for rank, (count, label) in enumerate(there)
    )
    length = sum(len(label) * count for count, label in there) / max(1, sum(counts))
    return (
        _message(1, _common(sum(counts), examples))
        + _number(2, len(there))
        + top
        + _single(4, length)
        + _message(5, ranks)
    )


@dataclass(frozen=True)
class _Shape:
    mean: float
    deviation: float
    least: float
    median: float
    greatest: float


def _shape(edges: Sequence[float], counts: Sequence[int]) -> _Shape:
    """Of what lies in bins: as exact as they are wide."""
    total = sum(counts)
    if not total:
        return _Shape(0.0, 0.0, 0.0, 0.0, 0.0)
    middles = [(low + high) / 2 for low, high in itertools.pairwise(edges)]
    mean = sum(middle * count for middle, count in zip(middles, counts, strict=True)) / total
    square = sum((middle - mean) ** 2 * count for middle, count in zip(middles, counts, strict=True))
    filled = [index for index, count in enumerate(counts) if count]
    below = 0
    median = edges[filled[-1] + 1]
    for index in filled:
        if below + counts[index] >= total / 2:
            within = (total / 2 - below) / counts[index]
            median = edges[index] + within * (edges[index + 1] - edges[index])
            break
        below += counts[index]
    return _Shape(mean, (square / total) ** 0.5, edges[filled[0]], median, edges[filled[-1] + 1])


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _key(field, _DOUBLE) + struct.pack("<d", value)


def _single(field: int, value: float) -> bytes:
    return _key(field, _SINGLE) + struct.pack("<f", value)


def _message(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode(errors="replace"))
