# SPDX-License-Identifier: Apache-2.0
"""Progress where nobody watches: few lines, which stay, with what is left."""

from __future__ import annotations

import pytest

from tinyserve.cli.progress import _Log


def test_a_log_has_a_line_per_stage_and_few_with_percent_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    say = _Log(lambda: now)
    say("load the model")
    for done in range(1001):
        now += 0.125
        say("run the data set", done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["… load the model", "… run the data set"]
    assert lines[2] == "… run the data set: 8 %, 10 s elapsed, about 1 min 55 s left"
    assert [line.split(":")[1].split(",")[0].strip() for line in lines[2:]] == [
        "8 %",
        "16 %",
        "32 %",
        "64 %",
    ]


def test_a_quick_stage_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say = _Log(lambda: 0.0)
    for done in range(100):
        say("checking outputs", done, 100)
    assert capsys.readouterr().err == "… checking outputs\n"
