# SPDX-License-Identifier: Apache-2.0
"""How `convert`'s options become settings of a conversion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tinyserve import workflow
from tinyserve.cli.main import main
from tinyserve.errors import DataError


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[workflow.Conversion]:
    """The conversions that were asked for; none is carried out."""
    seen: list[workflow.Conversion] = []

    def remember(source: Path, conversion: workflow.Conversion, progress: Any) -> None:
        seen.append(conversion)
        raise DataError("remembered")

    monkeypatch.setattr(workflow, "to_bundle", remember)
    return seen


def test_every_option_arrives(told: list[workflow.Conversion]) -> None:
    text = (
        "convert m.keras --representative random --quantize auto -o out --name kws --samples held.npz "
        "--input-shape 1x49x10x1 --signature serve --custom mine:Layer --per-layer keep=softmax:float32 "
        "--per-tensor --clip mse --min-accuracy 0.9 --trust --pixel-range -1 1 --stride 5 "
        "--sample-rate 16000 --mlperf-id kws01"
    )
    assert main(text.split()) == 5
    (conversion,) = told
    assert conversion.representative == "random"
    assert conversion.samples == "held.npz"
    assert (conversion.quantize, conversion.output, conversion.name) == ("auto", Path("out"), "kws")
    options = conversion.options
    assert options
    assert list(options.input_shapes) == [(1, 49, 10, 1)]
    assert (options.signature, list(options.custom)) == ("serve", ["mine:Layer"])
    assert (list(options.keep_float), options.per_channel) == (["softmax"], False)
    assert (options.clip, options.min_accuracy, options.trust) == ("mse", 0.9, True)
    assert (options.reading.pixel_range, options.reading.stride) == ((-1.0, 1.0), 5)
    assert (options.reading.sample_rate, options.mlperf_id) == (16000, "kws01")


@pytest.mark.parametrize("text", ["softmax", "keep=softmax", "keep=:float32", "keep=softmax:int8"])
def test_a_per_layer_setting_of_another_form_is_refused(
    text: str, told: list[workflow.Conversion], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "m.keras", "--per-layer", text]) == 2
    assert "keep=softmax:float32" in capsys.readouterr().err
    assert told == []
