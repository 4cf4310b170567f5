# SPDX-License-Identifier: Apache-2.0
"""Exported projects are built by their own build systems (or against stubs of them), and run."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware.conversation import Conversation
from tests.firmware.tiny_model import tiny_model
from tests.support.places import CHECKOUT
from tinyserve import boards
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.firmware.export import KINDS, export
from tinyserve.firmware.platformio import core as cores
from tinyserve.firmware.platformio.pio import Pio
from tinyserve.firmware.platformio.project import render_project
from tinyserve.firmware.platformio.self_check import self_check
from tinyserve.firmware.toolchain import gcc_names

ARDUINO_STUB = CHECKOUT / "tests/firmware/arduino_stub"
ZEPHYR_STUB = Path(__file__).parent / "zephyr_stub"
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
NANO33 = boards.load("nano33")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYSERVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def make(kind: str, board: str, directory: Path) -> Path:
    export(kind, tiny_model(), boards.load(board), directory, "tiny01")
    return directory


def run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def converse(program: Path, board: str) -> None:
    """The firmware on standard input and output answers as the protocol says."""
    with Conversation(program) as device:
        assert device.read_answer() == ["m-timestamp-mode-performance", "m-init-done"]
        assert f"ts-info-[board={board}]" in device.ask("ts-info")
        assert "m-model-[tiny01]" in device.ask("profile")
        device.ask("db load 8")
        assert device.ask("db 0102030405060708") == ["m-load-done"]
        assert device.ask("infer 1 0")[-1] == "m-results-[0.523,0.535,0.547,0.559]"
        assert len(device.ask("ts-profile")) == 3


def test_platformio_builds_an_emulated_board_with_the_platform_inside(tmp_path: Path) -> None:
    """With nothing of ours in the core directory but what starts SCons, or everything."""
    project = make("platformio", "cortex-m4", tmp_path / "kws")
    core = tmp_path / "core"
    cores.provision(core)
    link, platform = core / "platforms" / "tinyserve.pio-link", cores.platform_directory(core)
    link.rename(tmp_path / "link")
    platform.rename(tmp_path / "platform")
    done = Pio(core).run("run", directory=project, timeout_s=120)
    assert done.status == 0, done.output
    (tmp_path / "link").rename(link)
    (tmp_path / "platform").rename(platform)
    render_project(tiny_model(), boards.load("cortex-m0"), tmp_path / "other")
    assert Pio(core).run("run", directory=tmp_path / "other", timeout_s=120).status == 0
    assert self_check(project / ".pio/build/cortex-m4/firmware.elf", "cortex-m4")


def test_platformio_of_a_real_board_is_its_arduino_project(tmp_path: Path) -> None:
    project = make("platformio", "nano33", tmp_path / "kws")
    assert "platform = nordicnrf52" in (project / "platformio.ini").read_text()
    assert (project / "src" / "main.cpp").exists()


@pytest.mark.parametrize("board", ["pico", "esp32dev"])
def test_an_arduino_sketch_compiles_as_the_ide_does_it(board: str, tmp_path: Path) -> None:
    """The sketch gets Arduino.h in front; sources below src find each other; no macros are passed."""
    sketch = make("arduino", board, tmp_path / "kws_sketch")
    (sketch / "sketch.cpp").write_text("#include <Arduino.h>\n" + (sketch / "kws_sketch.ino").read_text())
    objects = []
    sources = ["sketch.cpp", *(str(path.relative_to(sketch)) for path in sketch.glob("src/**/*.c*"))]
    for source in sources:
        own = "tiny" in source
        compiler = ["g++", "-std=c++17"] if source.endswith(".cpp") else ["gcc", "-std=c11"]
        flags = [f"-I{ARDUINO_STUB}", *([] if own else WARNINGS)]
        run(*compiler, "-O1", *flags, "-c", source, "-o", f"{source}.o", cwd=sketch)
        objects.append(f"{source}.o")
    run("g++", f"-I{ARDUINO_STUB}", *objects, str(ARDUINO_STUB / "core.cpp"), "-o", "program", cwd=sketch)
    converse(sketch / "program", board)


@pytest.mark.parametrize("board", ["host", "nano33", "cortex-m0", "rv32imc", "rv32imafc", "hazard3"])
def test_cmake_builds_for_this_computer_and_for_a_core(board: str, tmp_path: Path) -> None:
    bare = board != "host"
    compilers = gcc_names(boards.load(board).core) if bare else ("cc",)
    if not shutil.which("cmake") or not any(map(shutil.which, compilers)):
        pytest.skip(f"cmake or {compilers[0]} is not installed")
    project = make("cmake", board, tmp_path / "kws")
    run("cmake", "-S", ".", "-B", "build", cwd=project)
    run("cmake", "--build", "build", cwd=project)
    if bare:
        assert self_check(project / "build" / "firmware.elf", board)[1].endswith(f"board {board}")
    else:
        converse(project / "build" / "firmware", board)


ZEPHYR_CHIPS = {
    "DWT": (["-DCONFIG_CORTEX_M_DWT=1"], [], 480_000_000),
    "mcycle": (["-DCONFIG_RISCV=1"], ["-DCPU_MHZ=16u"], 16_000_000),
    "SysTick": (["-DCONFIG_CORTEX_M_SYSTICK=1"], ["-DTIMER_MASK=0xffffffffu"], 16_000_000),
    "a timer of the chip": ([], ["-DTIMER_MASK=0xffffffffu"], 0),
}
"""Chips by their counter: Zephyr's configuration, what the stub does, the processor's clock (0: unknown)."""


class ZephyrApplication:
    """What the export lists, compiled as Zephyr does: its configuration's macros are seen by each source."""

    def __init__(self, directory: Path) -> None:
        self.directory = make("zephyr", "nano33", directory / "kws")
        lists = (self.directory / "CMakeLists.txt").read_text()
        self.sources = re.findall(r"^  (src/\S+\.[cS])$", lists, re.MULTILINE)
        autoconf = directory / "autoconf.h"
        autoconf.write_text('#define CONFIG_BOARD "arduino_nano_33_ble"\n#define CONFIG_SERIAL 1\n')
        defines = [f"-D{one}" for one in re.findall(r"^  (\w+=\w+)$", lists, re.MULTILINE)]
        includes = ["-Isrc", "-Isrc/model", f"-I{ZEPHYR_STUB}", "-imacros", str(autoconf)]
        self._flags = ["-std=c11", "-O1", *defines, *includes]
        self._objects = [self.compiled(source) for source in self.sources if source != "src/port.c"]

    def compiled(self, source: str, *flags: str) -> str:
        """The object of a source."""
        warnings = [] if "tiny" in source else WARNINGS
        name = f"{Path(source).stem}.o"
        run("gcc", *self._flags, *warnings, *flags, "-c", source, "-o", name, cwd=self.directory)
        return name

    def program(self, configuration: list[str], stub: list[str]) -> Path:
        """The program on a chip with this configuration."""
        port = self.compiled("src/port.c", *configuration)
        kernel = self.compiled(str(ZEPHYR_STUB / "zephyr.c"), *stub)
        run("gcc", *self._objects, port, kernel, "-o", "program", cwd=self.directory)
        return self.directory / "program"


@pytest.fixture(scope="module")
def zephyr(tmp_path_factory: pytest.TempPathFactory) -> ZephyrApplication:
    return ZephyrApplication(tmp_path_factory.mktemp("zephyr"))


def test_a_zephyr_application_compiles_and_answers_on_its_console(zephyr: ZephyrApplication) -> None:
    listed = sorted(str(path.relative_to(zephyr.directory)) for path in zephyr.directory.rglob("*.c"))
    assert sorted(zephyr.sources) == listed
    converse(zephyr.program(*ZEPHYR_CHIPS["DWT"][:2]), "nano33")
    settings = (zephyr.directory / "prj.conf").read_text()
    assert "CONFIG_FPU=y" in settings
    assert "CONFIG_PRINTK=n" in settings


@pytest.mark.parametrize("chip", ZEPHYR_CHIPS)
def test_zephyr_s_times_are_right_whatever_a_chip_counts_and_however_long_it_runs(
    zephyr: ZephyrApplication, chip: str
) -> None:
    """A run of 400 s: 45 turns of the counter, and more cycles than nanoseconds can be multiplied out of."""
    configuration, stub, clock_hz = ZEPHYR_CHIPS[chip]
    slow = ["-DSLOW_READING=20", "-DSLOW_US=400000000u"]
    with Conversation(zephyr.program(configuration, [*stub, *slow])) as device:
        device.read_answer()
        device.ask("db load 8")
        device.ask("db 0102030405060708")
        said = re.findall(r"ts-info-\[clock_hz=(\d+)\]", " ".join(device.ask("ts-info")))
        assert [int(hz) for hz in said] == ([pytest.approx(clock_hz, rel=1e-3)] if clock_hz else [])
        _, ticks = device.ask("ts-infer 1 0")
        seconds = int(ticks.removeprefix("ts-ticks-[").rstrip("]")) / 1e9
        assert seconds == pytest.approx(400, rel=1e-3)


@pytest.mark.parametrize(
    ("kind", "board"),
    [("platformio", "host"), ("arduino", "cortex-m4"), ("cmake", "esp32dev"), ("make", "host")],
)
def test_what_a_kind_cannot_do_is_refused_and_nothing_written(kind: str, board: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        make(kind, board, tmp_path / "kws")
    assert not (tmp_path / "kws").exists()


def test_a_sketch_needs_a_name_that_arduino_takes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no name for a sketch"):
        make("arduino", "nano33", tmp_path / "key words")


def test_exporting_again_keeps_what_was_added_and_refuses_to_lose_what_was_edited(tmp_path: Path) -> None:
    project = make("cmake", "nano33", tmp_path / "kws")
    (project / "notes.txt").write_text("mine")
    make("cmake", "host", project)
    assert not (project / "board.ld").exists()
    assert (project / "notes.txt").read_text() == "mine"
    main = project / "src" / "main.c"
    main.write_text("/* mine */\n")
    with pytest.raises(FileSystemError, match=r"main\.c was edited"):
        make("cmake", "nano33", project)
    assert main.read_text() == "/* mine */\n"
    assert not (project / "board.ld").exists()


def test_a_directory_of_the_user_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(FileSystemError, match="in the way"):
        make("cmake", "host", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_names_nothing_of_the_machine_that_wrote_it(kind: str, tmp_path: Path) -> None:
    project = make(kind, "nano33", tmp_path / "kws")
    for path in project.rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes()
