# SPDX-License-Identifier: Apache-2.0
"""keys, build --slots, sign, update, slots and health as one types them: exit statuses and words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slots.models import bundle_of, classifier
from tests.support import cache
from tinyserve.cli.main import main


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with a key, a bundle, firmware and images."""
    directory = tmp_path_factory.mktemp("field")
    with cache.own(tmp_path_factory):
        bundle_of(classifier(1), directory, "tiny")
        made, key = str(directory / "tiny.bundle"), str(directory / "key.pem")
        board = ["--board", "cortex-m0"]
        assert main(["keys", "new", key]) == 0
        assert main(["build", made, *board, "--slots", f"{key}.pub", "-o", str(directory / "twin")]) == 0
        assert main(["sign", made, *board, "--key", key, "-o", str(directory / "images")]) == 0
        yield directory


def test_an_update_and_what_slots_says_of_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twin = str(place / "twin")
    assert main(["update", str(place / "images"), "--emulate", twin]) == 0
    said = capsys.readouterr().out  # another test may have put it there before
    assert said.startswith("slot 0: ") and said.endswith("confirmed\n")
    assert main(["slots", "--emulate", twin]) == 0
    shown = capsys.readouterr().out
    assert "cortex-m0 (cortex-m0) serves tiny" in shown
    assert "slot 0 at 0x00012000: confirmed" in shown


def test_a_refusal_is_one_message_and_status_10(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twin = str(place / "twin")
    assert main(["update", str(place / "images"), "--emulate", twin]) == 0
    other = str(place / "other.pem")
    if not Path(other).exists():
        assert main(["keys", "new", other]) == 0
    made = ["sign", str(place / "tiny.bundle"), "--board", "cortex-m0", "--key", other, "--version", "2.0.0"]
    assert main([*made, "-o", str(place / "foreign")]) == 0
    capsys.readouterr()
    assert main(["update", str(place / "foreign"), "--emulate", twin]) == 10
    said = capsys.readouterr().err
    assert "signed with a key that the device does not hold" in said
    assert "try: sign it with the device's key" in said


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["update", "nothing.img", "--emulate", "TWIN"], 9, "nothing.img"),
        (["update", "IMAGES"], 2, "name the device"),
        (["update", "IMAGES", "--port", "x"], 2, "which board is it"),
        (["update", "IMAGES", "--port", "x", "--emulate", "TWIN"], 2, "not both"),
        (["update", "IMAGES", "--emulate", "."], 9, "holds no firmware with slots"),
        (["update", "BUNDLE", "--emulate", "TWIN"], 9, "holds no images"),
        (["slots", "--emulate", "TWIN", "--confirm", "--revert"], 2, "exclude each other"),
        (["health", "BUNDLE", "--emulate", "TWIN"], 4, "no reference profile"),
        (["keys", "show", "IMAGE"], 2, "no key in PEM form"),
        (["sign", "BUNDLE", "--board", "cortex-m0", "--key", "KEY", "--version", "1"], 2, "no version"),
        (
            ["sign", "BUNDLE", "--board", "cortex-m0", "--key", "KEY", "--golden", "999"],
            4,
            "held-out samples",
        ),
        (["sign", "BUNDLE", "--board", "host", "--key", "KEY"], 2, "no flash"),
        (["build", "BUNDLE", "--board", "nucleo-f446re", "--slots", "KEY.pub"], 2, "add --emulate"),
        (["build", "BUNDLE", "--board", "cortex-m55", "--slots", "KEY.pub"], 2, "Unicorn"),
        (["build", "BUNDLE", "--board", "cortex-m0", "--no-health"], 2, "add --slots"),
    ],
)
def test_what_cannot_be_done_is_said(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, words: str
) -> None:
    names = {
        "TWIN": "twin",
        "IMAGES": "images",
        "BUNDLE": "tiny.bundle",
        "KEY": "key.pem",
        "KEY.pub": "key.pem.pub",
    }
    names["IMAGE"] = "images/slot0.img"
    given = [str(place / names[word]) if word in names else word for word in arguments]
    assert main(given) == status
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_file_that_is_no_image_is_refused_before_any_device_is_asked(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (place / "images" / "slot0.img").read_bytes()
    for index, content in enumerate((b"", b"rubbish" * 100, whole[:200], whole[:-1][:40], b"\x00" * 5000)):
        path = tmp_path / f"{index}.img"
        path.write_bytes(content)
        assert main(["update", str(path), "--emulate", str(place / "twin")]) == 4
        assert "is no model image" in capsys.readouterr().err


def test_a_board_s_own_project_says_that_it_has_not_run(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["build", str(place / "tiny.bundle"), "--board", "nano33", "--slots", str(place / "key.pem.pub")]
    assert main([*asked, "-o", str(tmp_path / "p")]) == 0
    assert "this port has not run on a board" in capsys.readouterr().out
    assert (tmp_path / "p" / "platformio.ini").is_file()
    assert (tmp_path / "p" / "src" / "mbed.cpp").is_file()
