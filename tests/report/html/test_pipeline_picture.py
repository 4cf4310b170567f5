# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from tinyserve.errors import UsageError
from tinyserve.pipeline.make import Description, Stage
from tinyserve.report.html.pipeline_picture import draw, laid_out

PIPELINE = Description(
    [
        Stage("wake", "model", takes=["sound"], macs=1200),
        Stage("verify", "model", when="wake.scores[1] >= 0.6", takes=["sound"], macs=90000),
        Stage("large", "model", where="gateway", when="margin(verify) < 0.3", takes=["sound"]),
        Stage("heard", "decision", takes=["verify"]),
    ],
    {"scores": ["verify", "wake"]},
)


def test_nodes_stand_behind_what_they_wait_for() -> None:
    boxes, edges = laid_out(PIPELINE)
    columns = {name: box.column for name, box in boxes.items()}
    assert columns == {"sound": 0, "wake": 1, "verify": 2, "large": 3, "heard": 3, "output scores": 4}
    assert ("wake", "verify", True) in edges
    assert ("verify", "heard", False) in edges
    assert ("verify", "large", True) in edges
    assert len({(box.column, box.row) for box in boxes.values()}) == len(boxes)


def test_the_picture_names_all_of_them_and_is_the_same_each_time(tmp_path: Path) -> None:
    draw(PIPELINE, tmp_path / "a.svg", "door")
    draw(PIPELINE, tmp_path / "b.svg", "door")
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert drawn == (tmp_path / "b.svg").read_text(encoding="utf-8")
    for word in ("wake", "verify", "90,000 MACs", "on the gateway", "heard", "when margin(verify)", "door"):
        assert word in drawn


def test_a_title_is_no_formula(tmp_path: Path) -> None:
    draw(PIPELINE, tmp_path / "a.png", "cost $\\frac$ <&>")


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pictures are"):
        draw(PIPELINE, tmp_path / "a.txt", "door")
