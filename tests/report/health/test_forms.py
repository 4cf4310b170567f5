# SPDX-License-Identifier: Apache-2.0
"""Health as files for other programs, read back by those programs."""

from __future__ import annotations

import io
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.health.devices import counted
from tests.report.health.models import manifest_of
from tinyserve.bundle import Manifest
from tinyserve.health.counters import Counters
from tinyserve.health.profile import Profile, profile_of
from tinyserve.health.verdict import judge
from tinyserve.report.health.files import hidden
from tinyserve.report.health.series import Series, series_of
from tinyserve.report.health.table import COLUMNS, as_parquet
from tinyserve.report.health.tfdv import as_tfdv
from tinyserve.report.html.health import as_html

LABELS = ["low", "<b>&\x1b", "high"]
SCALE, ZERO_POINT = 0.5, -10


@pytest.fixture(scope="module")
def known() -> tuple[Profile, Counters, Manifest, list[Series]]:
    draw = np.random.default_rng(1)
    inputs = draw.normal(0, 30, (500, 8, 2)).clip(-128, 127).astype(np.int8)
    scores = draw.integers(-128, 127, (500, 3)).astype(np.int8)
    profile = profile_of(inputs, scores)
    seen = counted((inputs + 20).clip(-128, 127).astype(np.int8), scores, "ab" * 32)
    manifest = manifest_of((8, 2), (3,), LABELS, SCALE, ZERO_POINT)
    return profile, seen, manifest, series_of(profile, seen, manifest)


def test_histograms_are_over_real_values(known: tuple[Profile, Counters, Manifest, list[Series]]) -> None:
    series = {one.what: one for one in known[3]}
    assert list(series) == ["input 0 channel 0", "input 0 channel 1", "confidence", "classes"]
    edges = series["input 0 channel 0"].edges
    assert len(edges) == 17
    assert (edges[0], edges[-1]) == ((-128 + 10) * SCALE, (128 + 10) * SCALE)
    assert series["classes"].labels == tuple(LABELS)


def test_tfdv_reads_both_data_sets(known: tuple[Profile, Counters, Manifest, list[Series]]) -> None:
    statistics_pb2 = pytest.importorskip("tensorflow_metadata.proto.v0.statistics_pb2")
    profile, seen, _, series = known
    data = as_tfdv(series, profile, seen)
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString(data)
    size = found.ByteSize()
    found.DiscardUnknownFields()
    assert found.ByteSize() == size, "every field has its number"
    assert [(one.name, one.num_examples) for one in found.datasets] == [("reference", 500), ("devices", 500)]
    for one, counts in zip(found.datasets, ("reference", "seen"), strict=True):
        assert [feature.name for feature in one.features] == [each.what for each in series]
        for feature, each in zip(one.features, series, strict=True):
            wanted = getattr(each, counts)
            if each.labels:
                assert feature.type == statistics_pb2.FeatureNameStatistics.STRING
                top = {value.value: int(value.frequency) for value in feature.string_stats.top_values}
                assert top == dict(zip(each.labels, wanted, strict=True))
                assert feature.string_stats.unique == 3
            else:
                assert feature.type == statistics_pb2.FeatureNameStatistics.FLOAT
                (histogram,) = feature.num_stats.histograms
                assert [int(bucket.sample_count) for bucket in histogram.buckets] == list(wanted)
                assert histogram.buckets[0].low_value == each.edges[0]
                assert feature.num_stats.common_stats.tot_num_values == sum(wanted)
    low, high = (one.features[0].num_stats for one in found.datasets)
    assert high.mean - low.mean == pytest.approx(20 * SCALE, abs=2)
    assert low.std_dev == pytest.approx(30 * SCALE, rel=0.1)
    assert low.median == pytest.approx(-ZERO_POINT * SCALE, abs=3)


def test_parquet_has_a_row_for_each_bin(known: tuple[Profile, Counters, Manifest, list[Series]]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    _, seen, _, series = known
    table = parquet.read_table(io.BytesIO(as_parquet(series, seen)))
    assert tuple(table.column_names) == COLUMNS
    rows = table.to_pylist()
    assert len(rows) == 2 * (3 * 16 + 3)
    devices = [row for row in rows if row["data"] == "devices" and row["feature"] == "classes"]
    assert [(row["label"], row["count"], row["low"]) for row in devices] == [
        (label, count, None) for label, count in zip(LABELS, seen.classes, strict=True)
    ]
    assert table.schema.metadata[b"inferences"] == b"500"


def test_the_page_has_both_histograms_and_what_moved(
    known: tuple[Profile, Counters, Manifest, list[Series]], tmp_path: Path
) -> None:
    profile, seen, _, series = known
    verdict = judge(profile, seen, LABELS)
    assert verdict.state == "drift"
    page = as_html("m<script>", series, seen, verdict).decode()
    assert page.count("<svg") == 4
    assert "<script>" not in page and "<b>&" not in page
    assert "has moved up by" in page
    bars = re.findall(r'<rect class="(c[12])"[^>]*height="([0-9.]+)"><title>([^<]*)</title>', page)
    assert len(bars) == 2 * (3 * 16 + 3)
    shares = [float(title.split(": ")[1].split(" ")[0]) for kind, _, title in bars[:32] if kind == "c2"]
    assert sum(shares) == pytest.approx(100, abs=1)
    assert all(float(height) <= 136.1 for _, height, _ in bars)


def test_nothing_that_was_counted_too_seldom_is_in_any_form(
    known: tuple[Profile, Counters, Manifest, list[Series]],
) -> None:
    profile, seen, manifest, _ = known
    kept = hidden(seen, 40)
    series = series_of(profile, kept, manifest)
    assert all(count == 0 or count >= 40 for one in series for count in one.seen)
    assert any(count for one in series for count in one.seen)


def test_no_inference_is_a_report_too(known: tuple[Profile, Counters, Manifest, list[Series]]) -> None:
    profile, _, manifest, _ = known
    none = msgspec.structs.replace(
        known[1], inferences=0, looked_at=0, classes=[0] * 3, confidence=[0] * 16, codes=[[0] * 16] * 2
    )
    series = series_of(profile, none, manifest)
    verdict = judge(profile, none)
    assert b"too few" in as_html("m", series, none, verdict)
    assert as_tfdv(series, profile, none)
