# SPDX-License-Identifier: Apache-2.0
"""Firmware of the engine tflm is built, linked with the named library, and speaks the protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.compiler.tflm.models import TOY, add_model, toy_tree
from tests.firmware.conversation import Conversation
from tests.firmware.test_arduino import STUB
from tinyserve import boards
from tinyserve.boards.types import Core
from tinyserve.cli.main import main
from tinyserve.compiler.program import PORTABLE
from tinyserve.compiler.tflm.generate import interpret
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import UsageError
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render
from tinyserve.firmware.tflm_library import find_library
from tinyserve.firmware.toolchain import Name


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = toy_tree(tmp_path)
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    return directory


@pytest.mark.parametrize("name", ["host", "cortex-m0", "cortex-m4", "cortex-m33"])
def test_the_interpreter_s_firmware_speaks_the_protocol(tree: Path, name: str, tmp_path: Path) -> None:
    toolchain: Name = "zig" if name == "host" else "gcc"
    if toolchain == "gcc" and shutil.which("arm-none-eabi-g++") is None:
        pytest.skip("needs arm-none-eabi-g++")
    board = boards.load(name)
    compiled = interpret(add_model(), PORTABLE)
    project = render(compiled, board, tmp_path / "p", "tflm", emulate=name != "host", tflm=str(tree))
    firmware = build(project, toolchain)
    with open_device(firmware, board) as device:
        client = Client(device.link)
        info = client.identify()
        assert (info.engine, info.layers) == ("tflm", 0)
        client.load(bytes(range(8)), 0)
        client.infer(2, 1)
        assert bytes(client.outputs()[0]) == bytes([1, 1, 2, 3, 4, 5, 6, 3])  # 1 operator, 3 invokes
        client.reset()
        client.infer(1, 0)
        assert client.outputs()[0][7] == 1
        assert client.profile() == []


def test_bench_takes_the_engine_from_the_command_line(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("add.tflite").write_bytes(add_model())
    assert main(["build", "add.tflite", "--board", "host", "--engine", "tflm", "--tflm", str(tree)]) == 0
    assert main(["build", "add.tflite", "--board", "cortex-m4", "--engine", "tflm"]) == 2
    assert "--toolchain gcc" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["host", "cortex-m4"])
def test_a_profile_counts_the_interpreter_s_functions(
    tree: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = "valgrind" if name == "host" else "arm-none-eabi-g++"
    if shutil.which(needed) is None or shutil.which("c++filt") is None:
        pytest.skip(f"needs {needed} and c++filt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYSERVE_TFLM", str(tree))  # the option's default
    Path("add.tflite").write_bytes(add_model())
    command = ["profile", "add.tflite", "--board", name, "--engine", "tflm", "--toolchain", "gcc"]
    assert main([*command, "--json", "profile.json"]) == 0
    profile = json.loads(Path("profile.json").read_text())
    assert profile["layers"] == []
    functions = {function["name"] for function in profile["functions"]}
    assert {"ts_model_invoke", "tflite::micro::MicroInterpreter::Invoke"} <= functions


def test_a_directory_that_is_no_tflm_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"there is no tensorflow.lite.micro.micro_interpreter\.h"):
        find_library(boards.load("host").core, str(tmp_path / "empty"))


def core(name: str) -> Core:
    return boards.load(name).core


def test_of_several_built_libraries_the_core_s_own_is_taken(tree: Path) -> None:
    for target in ("cortex_m_generic_cortex-m3_default_gcc", "cortex_m_generic_cortex-m33_default_gcc"):
        library = tree / "gen" / target / "lib" / "libtensorflow-microlite.a"
        library.parent.mkdir(parents=True)
        library.write_bytes(b"!<arch>\n")
    found = find_library(core("cortex-m3"), str(tree)).archive
    assert found is not None and "cortex-m3_" in str(found)
    with pytest.raises(UsageError, match="which library is for cortex-m7"):
        find_library(core("cortex-m7"), str(tree))


def test_platformio_gets_the_library_as_a_dependency(tree: Path, tmp_path: Path) -> None:
    compiled = interpret(add_model(), PORTABLE)
    ini = tmp_path / "p" / "platformio.ini"
    for named, written in ((str(tree), f"symlink://{tree}"), ("someone/SomeLibrary@^1.2",) * 2):
        render(compiled, boards.load("nano33"), tmp_path / "p", "tflm", tflm=named)
        assert f"lib_deps = {written}" in ini.read_text()
    with pytest.raises(UsageError, match="as a PlatformIO library"):
        render(compiled, boards.load("nano33"), tmp_path / "p", "tflm")


def test_the_sketch_of_a_real_board_runs_the_interpreter(tree: Path, tmp_path: Path) -> None:
    """Against a stub of the Arduino core, with the language that its toolchains have at the least."""
    project = render(
        interpret(add_model(), PORTABLE), boards.load("pico"), tmp_path / "p", "tflm", tflm=str(tree)
    )
    flags = ["-Wall", "-Wextra", "-Werror", "-Isrc", "-Isrc/model", f"-I{STUB}", f"-isystem{tree}"]
    objects = []
    for source in project.sources:
        compiler = ["g++", "-std=c++11"] if source.path.endswith(".cpp") else ["gcc", "-std=c11"]
        command = [
            *compiler,
            "-O1",
            *flags,
            "-DTS_MODEL_PROFILE=1",
            "-c",
            source.path,
            "-o",
            f"{source.path}.o",
        ]
        subprocess.run(command, cwd=project.directory, check=True, timeout=120)
        objects.append(f"{source.path}.o")
    program = tmp_path / "sketch"
    core = [str(STUB / "core.cpp"), str(TOY)]
    link = ["g++", "-std=c++17", f"-I{STUB}", f"-isystem{tree}", *objects, *core, "-o", str(program)]
    subprocess.run(link, cwd=project.directory, check=True, timeout=120)
    with Conversation(program) as device:
        device.read_answer()
        assert "ts-info-[engine=tflm]" in device.ask("ts-info")
        device.ask("db load 8")
        assert device.ask("db 0001020304050607") == ["m-load-done"]
        assert device.ask("ts-infer 1 0")[1].startswith("ts-ticks-[")
        assert device.ask("ts-output 0")[0] == "ts-output-[0101020304050601]"
        assert device.ask("ts-profile") == ["ts-started"]
