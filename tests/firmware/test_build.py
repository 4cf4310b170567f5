# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.firmware.tiny_model import tiny_model
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import boards
from tinyserve.bench.counts.memory import memory_of
from tinyserve.boards.types import Board
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.errors import FileSystemError, FitError, ToolError, UsageError
from tinyserve.firmware import toolchain as toolchain_module
from tinyserve.firmware.build import Firmware, build
from tinyserve.firmware.process import run_all
from tinyserve.firmware.render import Project, render
from tinyserve.firmware.toolchain import Name, toolchain_for

ALL = boards.all_boards()
TWINS = [board for board in ALL if board.core.port in ("cortex_m", "riscv")]
ONE_PER_CORE = list({board.core.name: board for board in TWINS}.values())


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds nothing yet."""
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _project(board: str | Board, directory: Path, compiled: Compiled | None = None) -> Project:
    loaded = boards.load(board) if isinstance(board, str) else board
    return render(compiled or tiny_model(), loaded, directory, emulate=True)


def _with_memory(flash: int, ram: int, directory: Path) -> Board:
    text = (Path(toolchain_module.__file__).parents[2] / "boards" / "cortex-m4.toml").read_text()
    head = text[: text.index("[flash]")].replace('aliases = ["m4"]\n', "")
    path = directory / "small.toml"
    sources = 'sources = ["a made-up board"]\n'
    regions = f"{sources}[flash]\norigin = 0\nbytes = {flash}\n[ram]\norigin = 0x20000000\nbytes = {ram}\n"
    path.write_text(head + regions)
    return boards.load_file(path)


@pytest.mark.parametrize("board", ONE_PER_CORE, ids=lambda board: board.core.name)
def test_every_core_builds_and_its_parts_sum_up(board: Board, tmp_path: Path) -> None:
    firmware = build(_project(board, tmp_path))
    assert firmware.sizes is not None
    assert firmware.sizes.weights_bytes == 4
    assert firmware.sizes.arena_bytes >= 32
    assert 0 < firmware.sizes.model_bytes < 2_000
    assert 4_000 < firmware.sizes.firmware_bytes < 14_000
    assert firmware.sizes.stack_bytes == firmware.project.stack_bytes
    with firmware.elf.open("rb") as file:
        loaded = [s for s in ELFFile(file).iter_segments() if s["p_type"] == "PT_LOAD"]
        flash = sum(s["p_filesz"] for s in loaded)
        ram = sum(s["p_memsz"] for s in loaded if not s["p_filesz"])
    padding = 64  # between sections
    assert firmware.sizes.flash_bytes <= flash <= firmware.sizes.flash_bytes + padding
    at_start = firmware.sizes.data_bytes + firmware.sizes.copied_bytes
    assert firmware.sizes.ram_bytes <= ram + at_start <= firmware.sizes.ram_bytes + padding


@pytest.mark.parametrize("board", TWINS, ids=lambda board: board.id)
def test_every_twin_links_into_its_boards_memory(board: Board, tmp_path: Path) -> None:
    firmware = build(_project(board, tmp_path))
    regions = [region for region in (board.flash, board.ram, board.vectors) if region]
    with firmware.elf.open("rb") as file:
        segments = [s for s in ELFFile(file).iter_segments() if s["p_type"] == "PT_LOAD" and s["p_memsz"]]
    assert segments
    for segment in segments:
        start, end = segment["p_vaddr"], segment["p_vaddr"] + segment["p_memsz"]
        assert any(r.origin <= start and end <= r.origin + r.bytes for r in regions), hex(start)


@pytest.mark.parametrize("board", [*ONE_PER_CORE, boards.load("host")], ids=lambda board: board.core.name)
def test_the_firmware_compiles_without_a_warning(board: Board, tmp_path: Path) -> None:
    project = _project(board, tmp_path)
    tools = toolchain_for(board.core)
    base = [*tools.compiler, *tools.target_flags, *tools.compile_flags, "-O2"]
    base += ["-Wall", "-Wextra", "-Wconversion", "-Werror", "-Isrc", "-Isrc/model", "-DTS_TINY_PROFILE=1"]
    ours = [source.path for source in project.sources if source.part not in ("model", "weights")]
    for finished in run_all([[*base, "-c", path, "-o", f"{path}.o"] for path in ours], tmp_path, 120):
        assert finished.status == 0, finished.output


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")
@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4", "cortex-m33", "cortex-m55"])
def test_gcc_builds_the_same_project(name: str, tmp_path: Path) -> None:
    firmware = build(_project(name, tmp_path), "gcc")
    assert "arm-none-eabi-gcc" in firmware.toolchain
    assert firmware.sizes is not None and firmware.stack is not None
    assert firmware.sizes.weights_bytes == 4
    assert 100 < firmware.stack.total_bytes < 1_500


def test_an_unchanged_project_is_taken_from_the_cache_even_in_another_directory(
    own_cache: Path, tmp_path: Path
) -> None:
    first = build(_project("cortex-m4", tmp_path / "a"))
    again = build(_project("cortex-m4", tmp_path / "a"))
    elsewhere = build(_project("cortex-m4", tmp_path / "b"))
    assert (first.cached, again.cached, elsewhere.cached) == (False, True, True)
    assert first.elf.read_bytes() == elsewhere.elf.read_bytes()


def test_objects_that_a_build_is_about_to_link_are_not_evicted(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be the oldest of a full cache, where another build compiles something new."""
    build(_project("cortex-m4", tmp_path / "a"))
    objects = list((own_cache / "objects").glob("*.o"))
    for path in objects:
        os.utime(path, (1, 1))
    monkeypatch.setattr("tinyserve.firmware.build.CACHED_OBJECTS", len(objects))
    assert not build(_project("cortex-m4", tmp_path / "b", tiny_model(weight_bytes=64))).cached


def test_builds_in_two_directories_with_two_caches_are_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elves = []
    for name in ("a", "b"):
        monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / f"cache-{name}"))
        elves.append(build(_project("cortex-m4", tmp_path / name)).elf.read_bytes())
    assert elves[0] == elves[1]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("src/model/tiny.c", "ts_tiny_arena.bytes[16]++", "ts_tiny_arena.bytes[16] += 2"),
        ("src/model/tiny_weights.c", "{0, 1, 2, 3}", "{0, 1, 2, 4}"),
        ("src/config.h", '"tiny"', '"other"'),
        ("board.ld", "LENGTH = 4194304", "LENGTH = 4194300"),
    ],
)
def test_a_changed_file_is_built_again(
    path: str, old: str, new: str, own_cache: Path, tmp_path: Path
) -> None:
    project = _project("cortex-m4", tmp_path)
    build(project)
    text = (tmp_path / path).read_text()
    assert old in text
    (tmp_path / path).write_text(text.replace(old, new))
    assert not build(project).cached


def test_flags_are_part_of_what_the_cache_knows(own_cache: Path, tmp_path: Path) -> None:
    project = _project("cortex-m4", tmp_path)
    assert not build(project, optimize="-O2").cached
    assert not build(project, optimize="-Os").cached


def test_a_model_compiled_for_size_is_built_for_size(tmp_path: Path) -> None:
    fast = tiny_model()
    program = fast.program
    small = replace(fast, program=replace(program, target=replace(program.target, optimize="size")))
    assert build(_project("cortex-m4", tmp_path / "a", fast)).flags[-1] == "-O2"
    assert build(_project("cortex-m4", tmp_path / "b", small)).flags[-1] == "-Os"


def test_too_much_flash_says_by_how_much_and_what_would_help(tmp_path: Path) -> None:
    board = _with_memory(16_384, 65_536, tmp_path)
    project = _project(board, tmp_path / "p", tiny_model(weight_bytes=20_000))
    with pytest.raises(FitError) as caught:
        build(project)
    message, hint = caught.value.message, caught.value.hint
    over = int(message.split("flash is ")[1].split(" bytes over")[0].replace(",", ""))
    used = int(message.split("over, ")[1].split(" where there are 16,384")[0].replace(",", ""))
    assert used - 16_384 == over > 0
    assert "weights 20,000" in message
    assert "RAM" not in message
    assert "--optimize" not in hint  # there is no model to try it with
    assert "a board that it fits: " in hint


def test_too_much_ram_names_the_layer_where_the_arena_peaks(tmp_path: Path) -> None:
    board = _with_memory(65_536, 16_384, tmp_path)
    compiled = tiny_model(arena_bytes=20_000)
    with pytest.raises(FitError) as caught:
        build(_project(board, tmp_path / "p", compiled))
    message = caught.value.message
    assert "RAM is " in message and "arena 20,000" in message and "flash" not in message
    assert 'peaks at layer "sum" (ADD, 20 bytes in use)' in message


def test_what_fits_no_board_is_said_to_fit_none(tmp_path: Path) -> None:
    compiled = tiny_model(arena_bytes=100_000_000)
    with pytest.raises(FitError, match="no known board would fit"):
        build(_project("cortex-m4", tmp_path, compiled))


def test_a_failed_build_leaves_no_firmware_and_a_later_one_works(tmp_path: Path) -> None:
    project = _project("cortex-m4", tmp_path)
    source = tmp_path / "src" / "model" / "tiny.c"
    good = source.read_text()
    source.write_text(good + "\nint broken(void) { return nonsense; }\n")
    with pytest.raises(ToolError, match=r"failed compiling.*[\s\S]*nonsense"):
        build(project)
    assert not (tmp_path / "firmware.elf").exists()
    source.write_text(good)
    assert build(project).elf.is_file()


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
def test_double_precision_comes_from_the_compilers_own_runtime(toolchain: Name, tmp_path: Path) -> None:
    """The sine reduces its argument in double precision, which Cortex-M4 has not."""
    if toolchain == "gcc" and shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("needs arm-none-eabi-gcc")
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 4), "float32"), graph.tensor((1, 4), "float32")
    graph.op("SIN", [x], [y])
    graph.output(y)
    compiled = compile_model(model.build(), name="tiny")
    assert build(_project("cortex-m4", tmp_path, compiled), toolchain).sizes is not None


def test_an_undefined_function_is_named(tmp_path: Path) -> None:
    project = _project("cortex-m4", tmp_path)
    source = tmp_path / "src" / "model" / "tiny.c"
    body = source.read_text().replace("layer_sum();", "layer_sum(); not_there();", 1)
    source.write_text("void not_there(void);\n" + body)
    with pytest.raises(ToolError, match=r"failed linking[\s\S]*not_there"):
        build(project)


def test_a_missing_cross_compiler_comes_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError) as caught:
        build(_project("cortex-m4", tmp_path))
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize(("board", "name"), [("cortex-m4", "gcc"), ("rv32imc", "gcc"), ("host", "zig")])
def test_a_missing_gcc_comes_with_the_command_that_installs_it(
    board: str, name: Name, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain_module.shutil, "which", lambda name: None)
    with pytest.raises(ToolError) as caught:
        build(_project(board, tmp_path), name)
    assert "apt install" in caught.value.hint


def test_a_compiler_that_hangs_is_stopped(own_cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="took longer than"):
        build(_project("cortex-m4", tmp_path), timeout_s=0.0)


def test_the_arduino_port_is_left_to_platformio(tmp_path: Path) -> None:
    project = render(tiny_model(), boards.load("nano33"), tmp_path)
    with pytest.raises(UsageError, match="built by PlatformIO"):
        build(project)


def test_a_cache_that_cannot_be_written_is_a_file_system_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "file"))
    with pytest.raises(FileSystemError, match="cannot write the firmware"):
        build(_project("cortex-m4", tmp_path / "p"))


def test_the_reserved_stack_grows_with_the_deepest_call_chain(tmp_path: Path) -> None:
    project = _project("cortex-m4", tmp_path)
    source = tmp_path / "src" / "model" / "tiny.c"
    hungry = "volatile int n = 5999; volatile char room[6000]; room[n] = 1; layer_sum();"
    source.write_text(source.read_text().replace("layer_sum();", hungry, 1))
    firmware = build(project)
    assert firmware.stack is not None and firmware.sizes is not None
    assert firmware.stack.invoke_bytes > 6000
    assert firmware.stack.total_bytes < firmware.sizes.stack_bytes < firmware.stack.total_bytes + 1024
    assert firmware.sizes.stack_bytes == firmware.project.stack_bytes


def test_initialised_data_is_stored_in_flash_and_counted_in_both_memories(tmp_path: Path) -> None:
    project = _project("cortex-m4", tmp_path)
    source = tmp_path / "src" / "model" / "tiny.c"
    body = source.read_text().replace("layer_count();", "layer_count(); start[0]++;", 1)
    source.write_text(body.replace("static void", "int start[25] = {7};\nstatic void", 1))
    sizes = build(project).sizes
    assert sizes is not None
    assert sizes.data_bytes == 100
    with (tmp_path / "firmware.elf").open("rb") as file:
        (data,) = [s for s in ELFFile(file).iter_segments() if s["p_filesz"] == 100]
    assert data["p_vaddr"] >= 0x20000000 > data["p_paddr"]


def test_the_host_firmware_is_an_executable(tmp_path: Path) -> None:
    firmware: Firmware = build(_project("host", tmp_path))
    assert firmware.elf.stat().st_mode & 0o100
    assert firmware.stack is None


def test_objects_are_named_after_the_part_that_the_linker_script_sorts_by(
    own_cache: Path, tmp_path: Path
) -> None:
    build(_project("cortex-m4", tmp_path))
    names = {path.name.split("_")[0] for path in (own_cache / "objects").glob("*.o")}
    assert names == {"startup", "firmware", "runtime", "model", "weights"}


def test_what_a_board_copies_to_ram_at_start_counts_as_ram_on_its_twin(tmp_path: Path) -> None:
    """Teensy's start-up copies code and weights; the twin, which does not, must not say that they fit."""
    board = boards.load("teensy41")
    assert board.ram
    small = build(render(tiny_model(weight_bytes=100_000), board, tmp_path / "small", emulate=True))
    assert small.sizes
    assert small.sizes.copied_bytes == small.sizes.weights_bytes + 32 * 1024
    parts = {part.name: part.bytes for part in memory_of(small, board).ram_parts}
    assert parts["copied from flash at start"] == small.sizes.copied_bytes
    assert sum(parts.values()) == small.sizes.ram_bytes
    with pytest.raises(FitError, match=r"RAM is .* over.*copied from flash at start 6\d\d,\d{3}") as caught:
        build(render(tiny_model(weight_bytes=600_000), board, tmp_path / "large", emulate=True))
    assert "teensy41" not in caught.value.hint
    nucleo = boards.load("nucleo-h743zi")
    elsewhere = build(render(tiny_model(weight_bytes=600_000), nucleo, tmp_path / "other", emulate=True))
    assert elsewhere.sizes and not elsewhere.sizes.copied_bytes
