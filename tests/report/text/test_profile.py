# SPDX-License-Identifier: Apache-2.0
"""Both forms of a profile name layers, functions and whose instructions they are."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from tests.bench.results import make_result
from tests.report.html.test_bench import Tags
from tinyserve.bench.counts.profiling import HOST_INSTRUCTIONS, FunctionCount, Profile
from tinyserve.report.html import profile as profile_html
from tinyserve.report.text.profile import HOST_WORDS, profile_view


def make_profile(**changes: object) -> Profile:
    result = make_result()
    profile = Profile(
        model=result.model,
        setup=result.setup,
        unit="instructions",
        total=sum(layer.ticks for layer in result.layers),
        layers=result.layers,
        functions=[FunctionCount("ts_dsp_matmul_4_s8", 9000), FunctionCount("softmax", 1000)],
    )
    return msgspec.structs.replace(profile, **changes)


def shown(profile: Profile, width: int = 120) -> str:
    output = io.StringIO()
    Console(file=output, width=width).print(profile_view(profile))
    return output.getvalue()


def test_layers_and_functions_are_in_both_forms() -> None:
    profile = make_profile()
    for text in (shown(profile), profile_html.encode(profile)):
        for layer in profile.layers:
            assert layer.name in text
            assert f"{layer.ticks:,}" in text
        assert "ts_dsp_matmul_4_s8" in text
        assert "90.0 %" in text
        assert HOST_WORDS not in text


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_a_narrow_terminal_shows_fewer_columns_and_cuts_no_figure_off(width: int) -> None:
    layer = msgspec.structs.replace(
        make_profile().layers[0], name="depthwise_conv2d_12", op="DEPTHWISE_CONV_2D", ticks=12_345_678,
        macs=987_654, bytes_read=23_456, bytes_written=654_321,
    )  # fmt: skip
    text = shown(make_profile(layers=[layer]), width)
    assert "…" not in text
    assert "12,345,678" in text
    assert ("987,654" in text) == (width >= 80)
    assert ("DEPTHWISE_CONV_2D" in text) == (width >= 160)
    assert ("not shown here" in text) == (width < 160)


def test_alike_layers_of_a_long_profile_are_one_row_with_their_sums() -> None:
    first = make_profile().layers[0]
    layers = [
        msgspec.structs.replace(
            first, index=index, name=f"cell_{index}", op="ADD", ticks=1000, macs=0, bytes_read=7, variant="x"
        )
        for index in range(100)
    ]
    text = shown(make_profile(layers=layers), 160)
    assert "cell_0 and 99 more" in text
    assert "cell_7" not in text
    assert "100 layers, alike ones in one row; --json has each" in text
    assert text.count("100,000") == 2  # the row and the sum
    assert " 700 " in text


def test_without_layers_the_functions_are_shown() -> None:
    profile = make_profile(layers=[])
    for text in (shown(profile), profile_html.encode(profile)):
        assert "ts_dsp_matmul_4_s8" in text
        assert "per MAC" not in text


def test_instructions_of_this_computer_are_called_that() -> None:
    profile = make_profile(unit=HOST_INSTRUCTIONS)
    for text in (shown(profile), profile_html.encode(profile)):
        assert HOST_WORDS in text
        assert "host instructions" in text


def test_why_there_are_no_functions_is_said() -> None:
    profile = make_profile(unit="ns", functions=[], note="valgrind is not installed")
    for text in (shown(profile), profile_html.encode(profile)):
        assert "functions: valgrind is not installed" in text


def test_the_page_is_self_contained_and_hostile_names_stay_text() -> None:
    evil = "<script>alert(1)</script>\"'&"
    layer = msgspec.structs.replace(make_profile().layers[0], name=evil, reason=evil)
    tags = Tags(profile_html.encode(make_profile(layers=[layer], functions=[FunctionCount(evil, 1)])))
    assert tags.opened == []
    assert tags.loads == []
    assert "script" not in tags.names
