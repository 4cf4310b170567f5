# SPDX-License-Identifier: Apache-2.0
"""The guide's "Add your own", done: its example becomes a twin that runs and a project that renders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tests.firmware.tiny_model import tiny_model
from tests.support.places import CHECKOUT
from tinyserve import boards
from tinyserve.cli.main import main
from tinyserve.errors import UsageError
from tinyserve.firmware.render import render
from tinyserve.resources import data_directory

GUIDE = CHECKOUT / "docs" / "guide" / "boards.md"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the guide shows, under the name that it gives, in the current directory."""
    monkeypatch.chdir(tmp_path)
    section = GUIDE.read_text(encoding="utf-8").split("## Add your own")[1]
    example = re.search(r"`([\w-]+\.toml)`:\n\n```toml\n(.*?)```", section, re.DOTALL)
    assert example
    path = Path(example[1])
    path.write_text(example[2], encoding="utf-8")
    return path


def test_its_twin_is_benched(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_classifier(Path("shapes.tflite"))
    assert main(["bench", "shapes.tflite", "--board", str(own), "--emulate"]) == 0
    shown = capsys.readouterr().out
    assert "equal byte for byte" in shown and "ItsyBitsy" in shown


def test_its_project_is_rendered_for_platformio(own: Path) -> None:
    board = boards.load(str(own))
    render(tiny_model(), board, Path("project"))
    ini = Path("project/platformio.ini").read_text()
    assert "board = adafruit_itsybitsy_m4" in ini and f"[env:{own.stem}]" in ini


def test_a_mistake_names_file_key_and_reason(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own.write_text(own.read_text().replace('core = "cortex-m4"', 'core = "cortex-m99"'))
    assert main(["bench", "x.tflite", "--board", str(own), "--emulate"]) == 2
    assert re.search(rf"{own}: core: 'cortex-m99' is none of: .*cortex-m4", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('name = "a\\u001b[31m"', "name"),
        ('zephyr = "b)\\nexecute_process(COMMAND id"', "zephyr"),
        ('arduino = "a:b:c; id"', "arduino"),
    ],
)
def test_a_field_that_would_be_more_than_text_in_a_project_is_refused(
    line: str, key: str, tmp_path: Path
) -> None:
    text = (data_directory("boards") / "nano33.toml").read_text()
    text = "\n".join([line, *(kept for kept in text.split("\n") if not kept.startswith(f"{key} = "))])
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"mine.toml: {key}: "):
        boards.load_file(path)


def test_a_file_whose_name_is_no_word_is_no_board(tmp_path: Path) -> None:
    path = tmp_path / 'b"; evil.toml'
    path.write_text((data_directory("boards") / "nano33.toml").read_text())
    with pytest.raises(UsageError, match="id: "):
        boards.load_file(path)


POWER = (
    ("supply_v", "3.0", "> 0"), ("active_ua_per_mhz", "52.0", "> 0"), ("sleep_ua", "1.5", ">= 0"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "Arduino Nano 33 BLE"', 'name = " "', "name: is empty"),
        ("clock_hz = 64_000_000", "clock_hz = 64", "clock_hz: 64 is not from 1,000,000 "),
        ("clock_hz = 64_000_000", "clock_hz = 64_000_000_000", "clock_hz: 64,000,000,000 is not"),
        ("touch_1200 = true", "flash_wait_states = -1", "flash_wait_states: -1 is not from 0 to 31"),
        ("touch_1200 = true", "flash_wait_states = 5000", "flash_wait_states: 5,000 is not"),
        ("bytes = 983_040", "bytes = 960", "flash.bytes: 960 is not from 1,024"),
        ("\nbytes = 262_144", "\nbytes = 256", "ram.bytes: 256 is not from 1,024"),
        ("pid = 0x805a", "pid = 0x1_0000", "usb[0].pid: Expected `int` <= 65535"),
        ("pid = 0x805a", "pid = -1", "usb[0].pid: Expected `int` >= 0"),
        ("vid = 0x2341\npid = 0x805a", "vid = 0\npid = 0x805a", "usb[0].vid: Expected `int` >= 1"),
        *(
            (f"{key} = {old}", f"{key} = {new}", f"power.{key}: Expected `float` {said}")
            for key, old, least in POWER
            for new, said in (("nan", least), ("inf", "<= "), ("-inf", least), ("-1.0", least))
        ),
    ],
)
def test_a_figure_that_no_board_has_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = (data_directory("boards") / "nano33.toml").read_text()
    assert text.count(old) == 1
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(UsageError, match=f"mine.toml: {re.escape(said)}"):
        boards.load_file(path)


@pytest.mark.parametrize("name", ["...toml", "..toml", "-o.toml", ".toml", "a=b.toml"])
def test_a_file_name_that_would_be_another_path_or_option_is_no_id(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes((data_directory("boards") / "cortex-m4.toml").read_bytes())
    with pytest.raises(UsageError, match="id: "):
        boards.load_file(tmp_path / name)


def test_a_machine_is_a_name_and_no_options(tmp_path: Path) -> None:
    text = (data_directory("boards") / "cortex-m4.toml").read_text()
    assert 'machine = "mps2-an386"' in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('"mps2-an386"', '"virt,dumpdtb=/tmp/x"'))
    with pytest.raises(UsageError, match="a machine is a name"):
        boards.load_file(path)


@pytest.mark.parametrize("text", ["n = " + "1" * 5000, "n = " + "[" * 20_000, "#" * (1 << 21)])
def test_hostile_toml_is_a_usage_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError):
        boards.load_file(path)


def test_names_that_devices_give_are_no_paths(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes((data_directory("boards") / "cortex-m4.toml").read_bytes())
    with pytest.raises(UsageError, match="unknown board"):
        boards.packaged(str(path))
