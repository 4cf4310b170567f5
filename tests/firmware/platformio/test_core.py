# SPDX-License-Identifier: Apache-2.0
"""The private core directory: made without a network, kept apart, and made again when it does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyserve.errors import ToolError
from tinyserve.firmware.platformio import core as cores
from tinyserve.firmware.platformio import platform


def test_provisioning_twice_changes_nothing(core: Path) -> None:
    def snapshot() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in core.rglob("*") if path.is_file()}

    before = snapshot()
    cores.provision(core)
    assert {path: time for path, time in snapshot().items() if path in before} == before


def test_what_platformio_adds_to_its_state_stays(tmp_path: Path) -> None:
    cores.provision(tmp_path)
    path = tmp_path / "appstate.json"
    state = json.loads(path.read_text()) | {"cid": "x", "settings": {"check_prune_system_threshold": 1024}}
    path.write_text(json.dumps(state))
    cores.provision(tmp_path)
    assert json.loads(path.read_text()) == state


def test_another_version_s_state_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "appstate.json").write_text('{"last_version": "5.0.0"}')
    cores.provision(tmp_path)
    assert json.loads((tmp_path / "appstate.json").read_text())["last_version"] == cores.platformio_version()


def test_the_link_leads_to_a_platform_with_every_emulated_board(core: Path) -> None:
    link = json.loads((core / "platforms" / "tinyserve.pio-link").read_text())
    directory = Path(link["spec"]["uri"].removeprefix("symlink://"))
    assert json.loads((directory / "platform.json").read_text())["name"] == platform.NAME
    nano33 = json.loads((directory / "boards" / "nano33.json").read_text())
    assert nano33["upload"]["maximum_size"] == 983_040
    assert not (directory / "boards" / "esp32dev.json").exists()


def test_only_real_boards_may_use_the_user_s_core_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(cores.CORE_VARIABLE, str(tmp_path))
    assert cores.core_for(emulated=False) == tmp_path
    assert cores.core_for(emulated=True) == cores.private_core() != tmp_path


def test_without_scons_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cores, "scons_is_installed", lambda: False)
    with pytest.raises(ToolError, match="SCons") as caught:
        cores.provision(tmp_path)
    assert "pip install" in caught.value.hint
