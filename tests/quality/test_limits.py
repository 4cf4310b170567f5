# SPDX-License-Identifier: Apache-2.0
"""Verdicts: nothing that lost much is good, gates ask for figures, and the documents show the same limits."""

from __future__ import annotations

import re

import pytest

from tests.support.places import CHECKOUT
from tinyserve.bundle import InputStatistics, Manifest, OutputAccuracy, Score, Source, TaskScores
from tinyserve.quality.gates import Gates
from tinyserve.quality.limits import LIMITS, doubt, judge


def classes(agreement: float, sqnr: float = 30.0) -> OutputAccuracy:
    return OutputAccuracy("scores", sqnr, 0.1, agreement)


def values(error: float, sqnr: float = 40.0) -> OutputAccuracy:
    return OutputAccuracy("value", sqnr, 0.1, None, error)


def task(before: float, after: float, metric: str = "accuracy", samples: int = 1000) -> TaskScores:
    better = "lower" if metric == "RMSE" else "higher"
    return TaskScores(
        task="any", why="", output="", samples=samples,
        converted=[Score(metric, after, better)], original=[Score(metric, before, better)],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("output", "grade"),
    [
        (classes(1.0), "good"),
        (classes(0.98), "good"),
        (classes(0.96), "fair"),
        (classes(0.90), "poor"),
        (classes(1.0, sqnr=5.0), "poor"),
        (classes(1.0, sqnr=9.0), "fair"),
        (values(0.05), "good"),
        (values(0.2), "fair"),
        (values(0.5), "poor"),
        (values(0.05, sqnr=5.0), "poor"),
        (OutputAccuracy("same", None, 0.0, None), "good"),
    ],
)
def test_the_worst_figure_decides(output: OutputAccuracy, grade: str) -> None:
    found = judge([output], None, 500)
    assert found is not None
    assert found.grade == grade
    together = judge([classes(1.0), output], None, 500)
    assert together is not None
    assert together.grade == grade


@pytest.mark.parametrize("metric", ["accuracy", "mean IoU", "R²", "AUC"])
def test_what_lost_over_two_points_is_poor(metric: str) -> None:
    for lost, grade in ((0.0, "good"), (0.01, "good"), (0.015, "fair"), (0.021, "poor"), (-0.05, "good")):
        found = judge([classes(1.0)], task(0.9, 0.9 - lost, metric), 1000)
        assert found is not None
        assert (found.grade, round(found.drop or 0, 6)) == (grade, lost)


def test_an_error_is_judged_by_how_much_it_grows() -> None:
    found = judge([], task(10.0, 10.5, "RMSE"), 1000)
    assert found is not None
    assert found.drop == pytest.approx(0.05)
    assert found.grade == "poor"


def test_labels_count_in_place_of_the_agreement() -> None:
    """A model that is often unsure takes other classes without being wrong more often."""
    found = judge([classes(0.93)], task(0.6, 0.6), 1000)
    assert found is not None
    assert found.grade == "good"


def test_one_sample_of_few_is_never_poor_and_never_good() -> None:
    for found in (judge([classes(0.9)], None, 10), judge([], task(1.0, 0.9, samples=10), 10)):
        assert found is not None
        assert found.grade == "fair"


def test_random_calibration_is_never_good() -> None:
    found = judge([classes(1.0)], None, 500, "calibrated with random data")
    assert found is not None
    assert found.grade == "fair"


def test_without_a_float_original_nothing_is_known() -> None:
    assert judge([], None, 0) is None


def test_gates_name_the_figure_and_unknown_figures_keep_none() -> None:
    gates = Gates(min_agreement=0.98, min_sqnr=20.0, max_drop=0.02)
    assert len(gates.broken(None)) == 3
    good = judge([classes(0.99)], task(0.9, 0.89), 1000)
    assert gates.broken(good) == []
    bad = judge([classes(0.9, sqnr=5.0)], task(0.9, 0.8), 1000)
    said = gates.broken(bad, "kws on nano33")
    assert len(said) == 3
    assert all(line.startswith("kws on nano33: ") for line in said)
    assert "90.0 %" in said[0]
    assert "5.0 dB" in said[1]
    assert "10.0 points" in said[2]
    assert Gates().broken(None) == []


@pytest.mark.parametrize(
    "output",
    [
        OutputAccuracy("constant", None, 0.0, None),
        OutputAccuracy("classes", None, 0.0, 1.0),
        OutputAccuracy("value", None, 0.0, None, 0.0),
    ],
)
def test_equal_outputs_keep_any_sqnr(output: OutputAccuracy) -> None:
    assert Gates(min_sqnr=50.0).broken(judge([output], None, 9)) == []


def test_an_error_beside_zeros_keeps_no_sqnr() -> None:
    unlike = judge([OutputAccuracy("zeros", None, 0.5, 1.0)], None, 9)
    assert len(Gates(min_sqnr=50.0).broken(unlike)) == 1


def test_the_documents_show_these_limits() -> None:
    text = (CHECKOUT / "docs" / "guide" / "quality.md").read_text(encoding="utf-8")
    rows = {row[0]: row[1:] for row in re.findall(r"^\| (\S[^|]*?) \| ([^|]+?) \| ([^|]+?) \|", text, re.M)}
    for limit in LIMITS:
        assert limit.name in rows, limit.name
        assert [float(re.sub(r"[^\d.]", "", cell)) for cell in rows[limit.name]] == [limit.good, limit.fair]


@pytest.mark.parametrize(("largest", "doubted"), [(1.0, True), (1.5, False)])
def test_data_that_never_varies_is_no_ground_for_good(largest: float, doubted: bool) -> None:
    seen = InputStatistics("x", 200, 1.0, largest, 1.0, {})
    made = Manifest(
        name="m", model_sha256="0" * 64, source=Source("m", "0" * 64, "keras"), quantize="int8", inputs=[],
        outputs=[], ops={}, macs=0, arena_bytes=0, samples=50, expected_from="", tools={},
        representative=[seen],
    )  # fmt: skip
    assert ("never varies" in doubt(made)) == doubted
