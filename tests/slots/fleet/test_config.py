# SPDX-License-Identifier: Apache-2.0
"""fleet.toml of devices, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyserve.errors import FileSystemError, UsageError
from tinyserve.platforms.base import Platform
from tinyserve.platforms.darwin import Darwin
from tinyserve.platforms.windows import Windows
from tinyserve.slots.fleet import config


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("ports", "system"),
    [(("COM3", "com3"), Windows()), (("/dev/cu.usbmodem1", "/dev/cu.USBmodem1"), Darwin())],
    ids=["windows", "darwin"],
)
def test_a_port_in_another_case_is_the_same_where_the_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ports: tuple[str, str], system: Platform
) -> None:
    text = "".join(
        f'[devices.{name}]\nport = "{port}"\nboard = "nano33"\n'
        for name, port in zip("ab", ports, strict=True)
    )
    path = write(tmp_path, text)
    assert len(config.load(path)) == 2, "here they are two"
    monkeypatch.setattr(config.platforms, "here", lambda: system)
    with pytest.raises(UsageError, match=r"devices\.b is devices\.a"):
        config.load(path)


def test_paths_are_beside_the_file_and_devices_in_its_order(tmp_path: Path) -> None:
    text = '[devices.b]\ntwin = "one"\nline_key = "k.pem"\n'
    text += '[devices.a]\nport = "auto"\nboard = "nano33"\nbaud = 921600'
    b, a = config.load(write(tmp_path, text))
    assert (b.name, b.target.twin, b.target.line_key) == ("b", tmp_path / "one", tmp_path / "k.pem")
    assert (a.name, a.target.port, a.target.board, a.target.baud) == ("a", "auto", "nano33", 921_600)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no device"),
        ("[devices]", "there is no device"),
        ("[devices.a]", "either port or twin"),
        ('[devices.a]\ntwin = "x"\nport = "y"', "either port or twin"),
        ('[devices.a]\nport = "auto"', "which board"),
        ('[devices.a]\nport = "auto"\nboard = "nano34"', 'devices.a: unknown board "nano34"'),
        ('[devices.a]\ntwin = "x"\ncolour = "red"', "colour"),
        ('[devices.a]\ntwin = "x"\nbaud = 5', "devices[...].baud"),
        ('[devices."a b"]\ntwin = "x"', "matching regex"),
        ('[devices.a]\ntwin = "x"\n[devices.b]\ntwin = "./x"', "devices.b is devices.a"),
        ("[devices.a", "not valid TOML"),
        ('[members.a]\nlink = "host"', "members"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        config.load(write(tmp_path, text))
    assert said in caught.value.message
    assert caught.value.message.startswith(str(tmp_path / "fleet.toml"))


def test_a_missing_file_and_a_huge_one(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError):
        config.load(tmp_path / "none.toml")
    path = write(tmp_path, "#" * (5 << 20))
    with pytest.raises(UsageError, match="over 4,194,304 bytes"):
        config.load(path)
