# SPDX-License-Identifier: Apache-2.0
"""The engine tflm on trees with TFLM's own file layout and symbols: generated ones with CMSIS-NN and with
reference kernels, Arduino's layout, a checkout, and libraries built with and without error strings."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compiler.tflm.models import add_model, arduino_layout, checkout, stand_in_tree
from tinyserve import boards
from tinyserve.cli.main import main
from tinyserve.compiler.program import PORTABLE
from tinyserve.compiler.tflm.generate import interpret
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import UsageError
from tinyserve.firmware.build import Firmware, build
from tinyserve.firmware.render import render
from tinyserve.firmware.tflm_library import find_library, lib_deps
from tinyserve.firmware.toolchain import Name

CORES = ["host", "cortex-m0", "cortex-m4", "cortex-m33"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))


def made(tree: Path, board: str, directory: Path) -> Firmware:
    """Firmware of the model, with the library that ``--tflm`` would name."""
    toolchain: Name = "zig" if board == "host" else "gcc"
    if toolchain == "gcc" and shutil.which("arm-none-eabi-g++") is None:
        pytest.skip("needs arm-none-eabi-g++")
    compiled = interpret(add_model(), PORTABLE)
    loaded = boards.load(board)
    project = render(compiled, loaded, directory, "tflm", emulate=board != "host", tflm=str(tree))
    return build(project, toolchain)


def infers(firmware: Firmware, board: str) -> bool:
    with open_device(firmware, boards.load(board)) as device:
        client = Client(device.link)
        client.load(bytes(range(8)), 0)
        client.infer(1, 0)
        return bytes(client.outputs()[0]) == bytes([1, 1, 2, 3, 4, 5, 6, 1])


@pytest.mark.parametrize("board", CORES)
def test_a_generated_tree_with_cmsis_nn_builds(board: str, tmp_path: Path) -> None:
    firmware = made(stand_in_tree(tmp_path), board, tmp_path / "p")
    assert infers(firmware, board)
    assert firmware.library == "CMSIS-NN kernels, compiled with -O2, without error strings"


@pytest.mark.parametrize("board", ["host", "cortex-m4"])
def test_a_tree_without_cmsis_nn_is_said_to_have_reference_kernels(board: str, tmp_path: Path) -> None:
    firmware = made(stand_in_tree(tmp_path, kernels="reference"), board, tmp_path / "p")
    assert infers(firmware, board)
    assert firmware.library.startswith("reference kernels, compiled with -O2")


@pytest.mark.parametrize("board", ["host", "cortex-m4"])
def test_arduino_s_layout_builds_without_arduino_s_core(board: str, tmp_path: Path) -> None:
    firmware = made(arduino_layout(tmp_path), board, tmp_path / "p")
    assert infers(firmware, board)
    assert firmware.library.startswith("CMSIS-NN kernels")


def test_of_a_checkout_one_kernel_of_each_name_is_taken(tmp_path: Path) -> None:
    """With its downloads; of the vendors' kernels CMSIS-NN's, where its sources are there."""
    tree = checkout(tmp_path)
    assert infers(made(tree, "cortex-m4", tmp_path / "p"), "cortex-m4")
    shutil.rmtree(tree / "third_party" / "cmsis_nn")
    firmware = made(tree, "cortex-m4", tmp_path / "q")
    assert infers(firmware, "cortex-m4")
    assert firmware.library.startswith("reference kernels")


@pytest.mark.parametrize("stripped", [False, True], ids=["default", "BUILD_TYPE=release"])
def test_a_built_library_links_whether_or_not_it_has_error_strings(stripped: bool, tmp_path: Path) -> None:
    tree = stand_in_tree(tmp_path)
    include = ["-I.", "-Ithird_party/cmsis_nn", "-Ithird_party/cmsis_nn/Include"]
    include += ["-Ithird_party/cmsis/CMSIS/Core/Include", "-Ithird_party/flatbuffers/include"]
    defines = ["-DCMSIS_NN", "-DTF_LITE_STATIC_MEMORY", *["-DTF_LITE_STRIP_ERROR_STRINGS"] * stripped]
    objects = []
    for index, source in enumerate(sorted({*tree.rglob("*.cc"), *tree.rglob("*_s8.c")})):
        if "est" in source.name or "Tests" in source.parts:
            continue
        compiler = ["g++", "-std=c++17"] if source.suffix == ".cc" else ["gcc"]
        objects.append(f"{index}.o")
        command = [*compiler, *defines, *include, "-c", str(source), "-o", objects[-1]]
        subprocess.run(command, cwd=tree, check=True, timeout=60)
    library = tree / "gen" / "linux_x86_64_release_gcc" / "lib" / "libtensorflow-microlite.a"
    library.parent.mkdir(parents=True)
    subprocess.run(["ar", "rcs", str(library), *objects], cwd=tree, check=True, timeout=60)
    firmware = made(tree, "host", tmp_path / "p")
    assert infers(firmware, "host")
    said = "without" if stripped else "with"
    assert firmware.library.endswith(f"as built before, {said} error strings")


def test_what_is_no_tree_is_named(tmp_path: Path) -> None:
    core = boards.load("host").core
    bare = checkout(tmp_path)
    shutil.rmtree(bare / "third_party")
    makefile = bare / "tensorflow" / "lite" / "micro" / "tools" / "make" / "Makefile"
    makefile.parent.mkdir(parents=True)
    makefile.write_text("")
    with pytest.raises(UsageError, match="a checkout of TFLM without its downloads") as caught:
        find_library(core, str(bare))
    assert "create_tflm_tree.py" in caught.value.hint
    with pytest.raises(UsageError, match="the tree is in tree/") as caught:
        find_library(core, str(tmp_path))
    assert caught.value.hint == f"--tflm {bare}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--board", "cortex-m4"], "--toolchain gcc"),
        (["--board", "cortex-m4", "--toolchain", "gcc", "--tflm", "/nowhere"], "micro_interpreter.h"),
        (["--board", "cortex-m4", "--toolchain", "gcc"], "has no library to link"),
    ],
)
@pytest.mark.parametrize("command", ["bench", "build", "profile"])
def test_wrong_options_are_refused_before_the_model_is_looked_at(
    command: str,
    options: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("TINYSERVE_TFLM", raising=False)
    assert main([command, "no_such_model.keras", "--engine", "tflm", *options]) == 2
    assert said in capsys.readouterr().err


def test_both_engines_stand_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("arm-none-eabi-g++") is None:
        pytest.skip("needs arm-none-eabi-g++")
    monkeypatch.chdir(tmp_path)
    tree = stand_in_tree(tmp_path)
    Path("add.tflite").write_bytes(add_model())
    arguments = ["--board", "cortex-m4", "--toolchain", "gcc", "--tflm", str(tree)]
    main(["bench", "add.tflite", "--engine", "aot", "--engine", "tflm", *arguments])
    shown = capsys.readouterr().out
    assert "tflm ÷ aot" in shown
    assert "CMSIS-NN kernels, compiled with -O2" in shown.replace("\n", " ")
    assert "before" not in shown
    main(["bench", "add.tflite", "--engine", "tflm", *arguments])
    shown = capsys.readouterr().out
    assert "at least" in shown
    assert "stack of an invoke (incomplete)" in shown


def links_in_a_circle(tree: Path) -> Path:
    (tree / "a").symlink_to(tree / "b")
    (tree / "b").symlink_to(tree / "a")
    return tree / "a"


def an_archive_of_the_tree(tree: Path) -> Path:
    packed = tree.parent / "tflm.zip"
    packed.write_bytes(b"PK")
    return packed


def source(tree: Path) -> Path:
    """A source's place, which is free."""
    path = tree / "tensorflow" / "lite" / "micro" / "debug_log.cc"
    path.unlink()
    return path


def a_pipe(tree: Path) -> Path:
    os.mkfifo(source(tree))
    return tree


def a_link_to_a_device(tree: Path) -> Path:
    source(tree).symlink_to("/dev/zero")
    return tree


def a_dangling_link(tree: Path) -> Path:
    source(tree).symlink_to("/nowhere/debug_log.cc")
    return tree


def a_huge_source(tree: Path) -> Path:
    path = source(tree)
    path.touch()
    os.truncate(path, 1 << 40)
    return tree


def library(tree: Path, data: bytes) -> Path:
    path = tree / "gen" / "libtensorflow-microlite.a"
    path.parent.mkdir()
    path.write_bytes(data)
    return tree


HEADER = b"!<arch>\n/               0           0     0     0       %-10s`\n"


@pytest.mark.parametrize(
    ("hostile", "said"),
    [
        (links_in_a_circle, "links in a circle|there is no"),
        (an_archive_of_the_tree, "is a file, not a directory"),
        (a_pipe, "debug_log.cc: is no file, or a link to none"),
        (a_link_to_a_device, "debug_log.cc: is no file, or a link to none"),
        (a_dangling_link, "debug_log.cc: is no file, or a link to none"),
        (a_huge_source, "debug_log.cc: 1,099,511,627,776 bytes are no source"),
        (lambda tree: library(tree, b"!<thin>\n" + b" " * 60), "a thin archive"),
        (lambda tree: library(tree, b"MZ"), "no archive"),
        (lambda tree: library(tree, HEADER % b"many"), "a damaged archive"),
        (lambda tree: library(tree, HEADER % b"9999999999"), "a damaged archive"),
        (lambda tree: library(tree, b"!<arch>\nmodel.o/" + b" " * 40 + b"4         `\nabcd"), "symbol table"),
    ],
)
def test_a_hostile_tree_is_refused_before_anything_is_built(
    hostile: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    named = hostile(stand_in_tree(tmp_path))
    with pytest.raises(UsageError, match=said) as caught:
        find_library(boards.load("host").core, str(named))
    assert caught.value.hint


def test_names_of_files_are_any_bytes(tmp_path: Path) -> None:
    """Quotes, newlines, what is no UTF-8, options: none of it reaches a shell, all of it is compiled."""
    tree = stand_in_tree(tmp_path)
    odd = tree / 'a "quoted" tree; with\n$(touch x) & -o' / "tree"
    odd.parent.mkdir()
    shutil.move(tree / "tensorflow", odd / "tensorflow")
    shutil.move(tree / "third_party", odd / "third_party")
    micro = odd / "tensorflow" / "lite" / "micro"
    for name in (b"-o x.cc", b"\xff\n'.cc", b"@file.cc"):
        Path(os.fsdecode(os.fsencode(micro) + b"/" + name)).write_text(f"int ts_odd_{len(name)};\n")
    (micro / "gone.h").symlink_to("/nowhere/gone.h")
    assert infers(made(odd, "host", tmp_path / "p"), "host")


def test_a_library_whose_name_platformio_can_not_write_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / "a\nb"
    odd.mkdir()
    for named in (str(odd), "owner/name\nlib_extra_dirs = /", "${sysenv.HOME}"):
        with pytest.raises(UsageError, match=r"can't stand in platformio\.ini"):
            lib_deps(named)


def test_macos_archives_have_their_table_under_a_long_name(tmp_path: Path) -> None:
    name = b"__.SYMDEF SORTED\0\0\0\0"
    table = name + b"MicroPrintf\0arm_convolve_s8\0"
    header = b"%-16s%-12s%-6s%-6s%-8s%-10d`\n" % (b"#1/20", b"0", b"0", b"0", b"0", len(table))
    tree = library(stand_in_tree(tmp_path), b"!<arch>\n" + header + table)
    found = find_library(boards.load("host").core, str(tree))
    assert found.kernels == "CMSIS-NN"
    assert "TF_LITE_STRIP_ERROR_STRINGS" not in found.defines
