# SPDX-License-Identifier: Apache-2.0
"""The HTML page: self-contained, well-formed, safe with hostile names, and every picture is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from tests.bench.results import make_result
from tinyserve.bench.judge.budget import Limit, Violation
from tinyserve.bench.judge.compare import compare
from tinyserve.bench.judge.metrics import named
from tinyserve.bench.result import BenchReport, BenchResult, Energy, EnergyTrace, FailedCell
from tinyserve.quality.limits import Quality
from tinyserve.report.html import bench as html


def page(*results: BenchResult, failures: tuple[FailedCell, ...] = ()) -> str:
    return html.encode(BenchReport(results=list(results), failures=list(failures)), [], None)


class Tags(HTMLParser):
    """Collects what a page would load, and checks that tags that must close do."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.names: set[str] = set()
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag in ("svg", "section", "table", "div", "main", "details", "h2", "h3"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("svg", "section", "table", "div", "main", "details", "h2", "h3"):
            assert self.opened.pop() == tag


def test_the_page_loads_nothing_from_anywhere() -> None:
    text = page(make_result(), make_result("pico"))
    assert all(target.startswith("#cell-") for target in Tags(text).loads)
    assert not re.search(r"url\(|@import|https?://", text)


def test_tags_are_balanced_with_every_part_filled_and_with_none() -> None:
    bare = msgspec.structs.replace(
        make_result(),
        latencies=[],
        latency_ms=None,
        energy_uj=None,
        check=None,
        accuracy=None,
        layers=[],
        arena=[],
    )
    failure = FailedCell("vww", "bluepill", "RAM is 40,000 bytes over", 7)
    for text in (page(make_result()), page(bare), page(bare, make_result(), failures=(failure,))):
        assert Tags(text).opened == []


def test_hostile_names_stay_text() -> None:
    evil = "<script>alert(1)</script>\"'&"
    result = make_result(name=evil)
    layer = msgspec.structs.replace(result.layers[0], name=evil, reason=evil)
    block = msgspec.structs.replace(result.arena[0], name=evil)
    hostile = msgspec.structs.replace(result, layers=[layer], arena=[block], notes=[evil])
    assert "script" not in Tags(page(hostile, failures=(FailedCell(evil, evil, evil, 1),))).names


def test_all_pictures_are_drawn() -> None:
    trace = EnergyTrace([0.0, 1000.0, 2000.0], [10.0, 5000.0, 10.0], [(900.0, 1100.0)])
    energy = Energy(
        meter="file", per_inference_uj=12.5, per_inference_with_idle_uj=13.0, average_mw=16.5, idle_mw=0.03,
        supply_v=3.3, inferences=1, samples=3, trace=trace,
    )  # fmt: skip
    text = page(msgspec.structs.replace(make_result(), energy=energy, latencies=[1.0 + i for i in range(10)]))
    for label in ("Distribution of 10 latencies", "Arena over time", "Current over time"):
        assert f'aria-label="{label}' in text
    for heading in ("Flash by part", "RAM by part", "Which classes are mixed up", "Layers"):
        assert heading in text


def test_estimates_are_marked_as_such_and_apart_from_measurements() -> None:
    text = page(make_result())
    figure = re.search(r'<div class="figure estimate">.*?</div>', text, re.DOTALL)
    assert figure
    assert "latency, an estimate" in figure.group()
    assert "52.1–58.9 ms" in figure.group()


def test_an_emulators_count_has_no_distribution_but_layers_and_quality() -> None:
    """Ten equal figures are one bar: what says something is where they go."""
    quality = Quality(grade="poor", reasons=["SQNR 5.0 dB"], sqnr_db=5.0)
    text = page(msgspec.structs.replace(make_result(), quality=quality))
    assert "Distribution of" not in text
    assert "Where the instructions go" in text
    assert '<b class="bad">poor</b>' in text
    assert "SQNR 5.0 dB" in text
    assert text.index("latency, an estimate") < text.index("counted, the same in every run")


def test_the_title_of_a_single_result_stands_once() -> None:
    assert page(make_result()).count("kws on nano33<") == 2, "of the document, and of the page"


def test_confusions_have_the_classes_names() -> None:
    result = make_result()
    assert result.accuracy
    named_ = msgspec.structs.replace(result.accuracy, classes=["yes", "no"])
    text = page(msgspec.structs.replace(result, accuracy=named_))
    assert "<th>yes" in text and "<th>no" in text


def test_hundreds_of_layers_are_rows_of_alike_ones() -> None:
    layer = make_result().layers[0]
    many = [
        msgspec.structs.replace(
            layer, index=i, name=f"step_{i // 2}_{'gates' if i % 2 else 'state'}", ticks=i
        )
        for i in range(636)
    ]
    text = page(msgspec.structs.replace(make_result(), layers=many))
    assert "636 layers, alike ones in one row" in text
    assert len(re.findall(r'<tr><td class="desk n">', text)) == 2
    assert f"{sum(range(636)):,}" not in text, "two rows, each with its own sum"
    assert f"{sum(range(0, 636, 2)):,}" in text


def test_the_comparison_shows_what_got_worse() -> None:
    before = BenchReport(results=[make_result(instructions=1000)])
    after = BenchReport(results=[make_result(instructions=1100)])
    assert "+10.00 %" in html.encode(after, [], compare(before, after))


def test_cells_keep_their_order_in_every_table() -> None:
    results = [make_result(board) for board in ("pico", "nano33", "cortex-m4")]
    after = BenchReport(results=results)
    text = html.encode(after, [], compare(after, after))
    groups = re.findall(r'<tr class="group"><th colspan="5">kws on ([^<]+)</tr>', text)
    assert groups == ["pico", "nano33", "cortex-m4"]


def test_cells_that_only_one_side_has_are_named() -> None:
    before = BenchReport(results=[make_result("pico"), make_result("nano33")])
    after = BenchReport(results=[make_result("nano33"), make_result("cortex-m4")])
    text = html.encode(after, [], compare(before, after))
    assert "only in the first: kws on pico" in text
    assert "only in the second: kws on cortex-m4" in text


def everything() -> str:
    """A page with every section, and long names."""
    name = "a_model_with_quite_a_long_name_int8"
    trace = EnergyTrace([0.0, 1000.0, 2000.0], [10.0, 5000.0, 10.0], [(900.0, 1100.0)])
    energy = Energy(
        meter="file", per_inference_uj=12.5, per_inference_with_idle_uj=13.0, average_mw=16.5, idle_mw=0.03,
        supply_v=3.3, inferences=1, samples=3, trace=trace,
    )  # fmt: skip
    confusion = [[100] * 12] * 12
    first = make_result(instructions=987_654_321, name=name)
    assert first.accuracy
    accuracy = msgspec.structs.replace(first.accuracy, confusion=confusion)
    results = [
        msgspec.structs.replace(first, energy=energy, accuracy=accuracy),
        make_result("nucleo-l4r5zi", name=name),
    ]
    failure = FailedCell(name, "bluepill", "RAM is 40,000 bytes over " * 3, 7)
    report = BenchReport(results=results, failures=[failure])
    instructions = named("instructions")
    assert instructions
    violation = Violation(first.title, Limit(instructions, 5.0, "limits"), 987_654_321.0)
    return html.encode(report, [violation], compare(report, report))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_lays_the_page_out_without_sideways_scrolling(tmp_path: Path, width: int) -> None:
    # In a frame: a window is never as narrow as a phone.
    measure = "parent.postMessage(document.documentElement.scrollWidth+' '+innerWidth,'*')"
    page = everything().replace("</body>", f"<script>onload=()=>{{{measure}}}</script></body>")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    frame = f'<iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe>'
    (tmp_path / "frame.html").write_text(
        f"<script>onmessage=event=>{{document.title=event.data}}</script>{frame}", encoding="utf-8"
    )
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
        "--virtual-time-budget=5000", "--dump-dom", (tmp_path / "frame.html").as_uri(),
    ]  # fmt: skip
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    match = re.search(r"<title>(\d+) (\d+)</title>", dom)
    assert match, dom[:500]
    assert int(match[1]) <= int(match[2]) == width
